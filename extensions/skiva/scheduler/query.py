"""Which jobs, or definitions of jobs, a query asks for, and in what order. Pure."""

from collections.abc import Sequence
from typing import Any, TypeVar

from jupyter_scheduler.exceptions import SchedulerError

__all__ = ["chosen", "page"]

_Model = TypeVar("_Model")


def chosen(models: Sequence[_Model], query: Any) -> list[_Model]:
    """Those that a query's filters let through, sorted as it says."""
    found = [model for model in models if _fits(model, query)]
    for field in reversed(query.sort_by or []):
        if found and not hasattr(found[0], field.name):
            raise SchedulerError(f"sort_by: there is no field {field.name!r:.60}")
        try:
            found.sort(
                key=lambda one: _place(getattr(one, field.name)), reverse=field.direction.value == "desc"
            )
        except TypeError:
            raise SchedulerError(f"sort_by: {field.name!r:.60} has no order") from None
    return found


def page(models: Sequence[_Model], query: Any) -> tuple[list[_Model], str | None]:
    """One page of them, and the token with which the next begins."""
    token = query.next_token or "0"
    if not (token.isascii() and token.isdigit() and len(token) < 10):
        raise SchedulerError("next_token: must be one that an earlier answer gave")
    begin = int(token)
    most = len(models) if query.max_items is None else max(0, query.max_items)
    end = begin + most
    return list(models[begin:end]), str(end) if end < len(models) and most else None


def _fits(model: Any, query: Any) -> bool:
    asked = vars(query)
    status, definition = asked.get("status"), asked.get("job_definition_id")
    return (
        (not status or model.status == status)
        and (not definition or model.job_definition_id == definition)
        and (not query.name or model.name.lower().startswith(query.name.lower()))
        and all(tag in (model.tags or []) for tag in query.tags or [])
        and _since(model, "start_time", asked)
        and _since(model, "create_time", asked)
    )


def _since(model: Any, name: str, asked: dict[str, Any]) -> bool:
    wanted = asked.get(name)
    return not wanted or (getattr(model, name) or -1) >= wanted


def _place(value: Any) -> tuple[bool, Any]:
    """What has no value comes before all that has."""
    return value is not None, "" if value is None else value
