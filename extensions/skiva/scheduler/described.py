"""Definitions in jupyter-scheduler's words, and what its forms change of them. Pure."""

from jupyter_scheduler.models import DescribeJobDefinition, UpdateJobDefinition

from skiva.scheduler.card import Card
from skiva.scheduler.definitions import Definition

__all__ = ["described", "updated"]

_WHEN = ("schedule", "timezone", "active")


def described(definition: Definition) -> DescribeJobDefinition:
    """One definition."""
    said = definition.card.model_dump(exclude={"job_definition_id", "idempotency_token"})
    said["output_formats"] = list(definition.card.output_formats)
    said["tags"] = list(definition.card.tags) or None
    return DescribeJobDefinition(
        **said,
        job_definition_id=definition.id,
        schedule=definition.schedule,
        timezone=definition.timezone,
        active=definition.active,
        create_time=int(definition.created * 1000),
        update_time=int(definition.updated * 1000),
    )


def updated(definition: Definition, model: UpdateJobDefinition, now: float) -> Definition:
    """The definition with what a form changes; another schedule holds from now on."""
    given = {name: value for name, value in model.dict(exclude_unset=True).items() if value is not None}
    when = {name: given[name] for name in _WHEN if name in given}
    card = definition.card.changed({name: given[name] for name in Card.model_fields if name in given})
    other = any(getattr(definition, name) != value for name, value in when.items())
    since = now if other else definition.since
    return definition.model_copy(update={**when, "card": card, "updated": now, "since": since})
