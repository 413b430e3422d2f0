"""What a person asks for when they send something off, checked before anything happens."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, ValidationError

__all__ = ["BadWish", "Wish", "checked", "job_name", "wish"]

_Model = TypeVar("_Model", bound=BaseModel)

_NEEDS = {
    "slice": "must be the id of a slice, such as '1g.10gb'",
    "hours": "must be a number of hours above 0 and of at most a year, such as 4 or 0.5",
    "name": "must be a text of at most 60 characters without line breaks",
    "restarts": "must be a whole number from 0 to 1000",
    "at_once": "must be a whole number from 1",
    "resume": "must be True or False",
    "key": "must be a text of at most 200 characters",
}


class BadWish(ValueError):
    """One sentence that names the field and what it must be."""


class Wish(BaseModel):
    """The options that every way of sending something off has."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    slice: Annotated[str, Field(strict=True, max_length=60)] | None = None
    hours: Annotated[float, Field(gt=0, le=24 * 366, allow_inf_nan=False)] | None = None
    name: Annotated[str, Field(strict=True, max_length=60, pattern=r"\A[^\x00-\x1f\x7f\u2028\u2029]*\z")] = ""
    restarts: Annotated[StrictInt, Field(ge=0, le=1000)] = 0
    at_once: Annotated[StrictInt, Field(ge=1, le=100_000)] | None = None
    resume: StrictBool = False
    key: Annotated[str, Field(strict=True, max_length=200)] = ""


def wish(**given: Any) -> Wish:
    """The wish that these options spell; None leaves an option to its default.

    Raises:
        BadWish: names the field.
    """
    return checked(Wish, _NEEDS, given)


def checked(kind: type[_Model], needs: Mapping[str, str], given: Mapping[str, Any]) -> _Model:
    """The same for a wish of any kind, with what each of its fields must be.

    Raises:
        BadWish: names the field.
    """
    if isinstance(given.get("hours"), bool):
        raise BadWish(f"hours: {needs['hours']}")
    try:
        return kind(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = str(first["loc"][0]) if first["loc"] else "options"
        if first["type"] == "extra_forbidden":
            raise BadWish(f"{field[:60]}: there is no such option") from None
        raise BadWish(f"{field}: {needs.get(field, first['msg'])}") from None


def job_name(name: str) -> str:
    """What the queue shows: the run's name in the letters that Slurm's tables can show."""
    plain = re.sub(r"[^A-Za-z0-9_.+-]+", "-", name).strip("-.+_")[:60]
    return plain if plain and plain[0].isalnum() else "skiva-run"
