"""The Dask clusters of a person, for the side panel and the cards in notebooks. Needs no Dask."""

__all__: list[str] = []
