"""The runs of a person, for the side panel and the cards in notebooks."""

__all__: list[str] = []
