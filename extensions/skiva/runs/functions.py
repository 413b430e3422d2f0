"""Sending functions off: one call, or one call for each of many items."""

import pickle
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from skiva.runs.run import Run
from skiva.runs.submit import Luggage, send
from skiva.runs.travel import Stays, packed
from skiva.runs.wish import BadWish, wish

__all__ = ["check_number", "map_items", "submit"]

_AT_ONCE = 16


def submit(
    function: Callable[..., Any],
    *args: Any,
    slice: str | None = None,  # noqa: A002 - the field's word
    hours: float | None = None,
    name: str | None = None,
    restarts: int | None = None,
    env: Mapping[str, str] | Iterable[str] | None = None,
    key: str | None = None,
    **kwargs: Any,
) -> Run:
    """Run `function(*args, **kwargs)` in a job of its own, and come back at once.

    Functions and classes from the notebook go along with what they use; modules are imported there, from
    the same environment and the same directories.

    Args:
        function: what to call; a coroutine function is awaited.
        slice: the id of a slice, such as `1g.10gb`; without it, cores alone.
        hours: the time limit.
        name: what lists and the queue show; the function's name by default.
        restarts: how often it may begin again after a time limit, a preemption or a lost node, for code
            that uses `skiva.checkpoint()` or may simply be repeated.
        env: further variables for it: names of those that are set here, or names with values. They are
            kept in a private file, and never shown by Slurm.
        key: a second submission with the same key gives the first one's run.

    Raises:
        BadWish: an option is not possible; names it.
        Stays: something cannot travel to the job; names it and says why.
        NotSubmitted: Slurm refused, or did not answer.
    """
    wanted = wish(slice=slice, hours=hours, name=name, restarts=restarts, key=key)
    if not callable(function):
        raise BadWish("function: must be something that can be called, without its parentheses")
    title = getattr(function, "__name__", type(function).__name__)
    files = {"call.pkl": _packed_call(function, args, kwargs)}
    return Run(send(Luggage(kind="function", name=title, files=files), wanted, env))


def map_items(
    function: Callable[..., Any],
    items: Iterable[Any],
    *args: Any,
    slice: str | None = None,  # noqa: A002
    hours: float | None = None,
    name: str | None = None,
    at_once: int | None = None,
    restarts: int | None = None,
    env: Mapping[str, str] | Iterable[str] | None = None,
    key: str | None = None,
    **kwargs: Any,
) -> Run:
    """Run `function(item, *args, **kwargs)` for every item, as one Slurm array with one submission.

    The options are those of `submit`, for each item; `at_once` says how many may run at the same time (16
    by default). `run.result()` is the list of what they returned, in the order of the items.

    Raises:
        BadWish: there are no items, or more than Slurm takes in one array; names the number.
        Stays: an item cannot travel to the job; names it and says why.
        NotSubmitted: Slurm refused, or did not answer.
    """
    wanted = wish(
        slice=slice,
        hours=hours,
        name=name,
        at_once=_AT_ONCE if at_once is None else at_once,
        restarts=restarts,
        key=key,
    )
    if not callable(function):
        raise BadWish("function: must be something that can be called, without its parentheses")
    sent = [packed(f"item {number}", item) for number, item in enumerate(items)]
    if not sent:
        raise BadWish("items: there are none")
    check_number(len(sent))
    title = getattr(function, "__name__", type(function).__name__)
    files = {"call.pkl": _packed_call(function, args, kwargs), "items.pkl": pickle.dumps(sent)}
    return Run(send(Luggage(kind="map", name=title, files=files, tasks=len(sent)), wanted, env))


def _packed_call(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> bytes:
    title = getattr(function, "__name__", "the function")
    try:
        return packed(f"the call of {title}", (function, args, kwargs))
    except Stays:
        # Which of them it is, is worth a second try of each.
        for number, value in enumerate(args, 1):
            packed(f"argument {number} of {title}", value)
        for name, value in kwargs.items():
            packed(f"the argument {name} of {title}", value)
        packed(title, function)
        raise


def check_number(number: int) -> None:
    """Refuse an array that this Slurm does not take. Raises BadWish; names the number."""
    from skiva.runs.offer import find_offer
    from skiva.runs.slurm import Slurm, wait_for
    from skiva_slurm.errors import SlurmUnanswered

    try:
        most = int(wait_for(Slurm(find_offer()).setting("MaxArraySize")) or 0)
    except (SlurmUnanswered, ValueError):
        return  # sbatch will tell
    if most and number > most:
        raise BadWish(
            f"items: {number} are more than the {most} that this Slurm takes in one array; "
            "let each item stand for several"
        )
