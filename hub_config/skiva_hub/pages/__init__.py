"""The hub's pages: what they say (pure), their forms, and the routes behind them."""
