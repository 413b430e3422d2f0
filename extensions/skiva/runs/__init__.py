"""Runs: work that is handed to the batch queue and found again."""

__all__: list[str] = []
