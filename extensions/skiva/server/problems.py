"""Answers that are errors: a status, and one sentence for the person."""

import json
from collections.abc import Callable
from typing import Any, TypeVar

__all__ = ["Problem", "body_of", "told"]

_Answer = TypeVar("_Answer")


class Problem(Exception):
    """An answer that is an error: its status, and one sentence for the person."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


def body_of(raw: bytes, fields: frozenset[str]) -> dict[str, Any]:
    """The JSON object of a request. Raises Problem, which names a field that there is none of."""
    try:
        values = json.loads(raw or b"{}")
    except (ValueError, RecursionError):
        raise Problem(400, "The request is no JSON that can be read.") from None
    if not isinstance(values, dict):
        raise Problem(400, "The request must be a JSON object.")
    if unknown := sorted(values.keys() - fields):
        raise Problem(400, f"{unknown[0][:60]}: there is no such field.")
    return values


def told(work: Callable[[], _Answer], of: str) -> _Answer:
    """Do it, or say in one sentence why not; `of` is what it is done with, such as `run`. In a thread."""
    from skiva.runs.offer import NoOffer
    from skiva.runs.submit import NotSubmitted
    from skiva.runs.wish import BadWish
    from skiva_slurm.errors import Refused, SlurmUnanswered

    try:
        return work()
    except BadWish as problem:
        raise Problem(400, _sentence(problem)) from None
    except (KeyError, IndexError, TypeError) as problem:
        raise Problem(409, f"What is written about this {of} cannot be understood.") from problem
    except LookupError as problem:
        raise Problem(404, _sentence(problem)) from None
    except NotSubmitted as problem:
        silent = isinstance(problem.__context__, SlurmUnanswered)
        raise Problem(503 if silent else 409, _sentence(problem)) from None
    except (NoOffer, SlurmUnanswered) as problem:
        raise Problem(503, _sentence(problem)) from None
    except (Refused, ValueError) as problem:
        raise Problem(409, _sentence(problem)) from None
    except OSError as problem:
        raise Problem(503, f"It could not be written down: {problem.strerror or problem}.") from None


def _sentence(problem: Exception) -> str:
    text = " ".join(str(problem).split())[:1000] or type(problem).__name__
    return text if text.endswith((".", "!", "?")) else f"{text}."
