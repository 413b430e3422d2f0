"""`skiva submit`, `jobs`, `logs`, `cancel` and `result`: runs from a terminal."""

from skiva.runs.command.words import main

__all__ = ["main"]
