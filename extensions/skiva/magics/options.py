"""What stands behind `%%batch`."""

import shlex
from dataclasses import dataclass
from typing import Any

from skiva.runs.wish import BadWish, Wish, wish

__all__ = ["CellOptions", "parse"]

_OPTIONS = ("slice", "hours", "name", "restarts", "env")
_EXAMPLE = "%%batch slice=1g.10gb hours=4 name=fit restarts=0 env=NAME,NAME"


@dataclass(frozen=True, slots=True)
class CellOptions:
    """What a cell's first line asks for.

    Attributes:
        again: whether a new run is wanted although the cell's run is there.
        given: the options as they were written, which tell one submission from another.
    """

    again: bool = False
    given: tuple[tuple[str, str], ...] = ()

    @property
    def env(self) -> tuple[str, ...]:
        """The names of variables of the environment that go along."""
        return tuple(name for name in dict(self.given).get("env", "").split(",") if name)

    def wish(self, key: str = "") -> Wish:
        """The same as it is asked of Slurm.

        Raises:
            BadWish: names the option.
        """
        values: dict[str, Any] = {name: text for name, text in self.given if name != "env"}
        for name, kind, needs in (
            ("hours", float, "a number of hours above 0, such as 4 or 0.5"),
            ("restarts", int, "a whole number from 0 to 1000"),
        ):
            if name in values:
                try:
                    values[name] = kind(values[name])
                except ValueError:
                    raise BadWish(f"{name}: must be {needs}, not {values[name]!r:.60}") from None
        return wish(**values, key=key)


def parse(line: str) -> CellOptions:
    """Understand the line.

    Raises:
        BadWish: one sentence that names what cannot be understood, and says how it is written.
    """
    try:
        words = shlex.split(line)
    except ValueError as problem:
        raise BadWish(f"%%batch: the line cannot be understood: {problem}") from None
    given: dict[str, str] = {}
    for word in words:
        if word == "again":
            continue
        name, has_value, value = word.partition("=")
        if word.startswith("-"):
            raise BadWish(f"{word:.60}: options of %%batch are written without dashes, as in {_EXAMPLE}")
        if name not in _OPTIONS:
            raise BadWish(
                f"{name:.60}: there is no such option; there are {', '.join(_OPTIONS)} and the word again"
            )
        if not has_value or not value:
            raise BadWish(f"{name}: needs a value, as in {_EXAMPLE}")
        if name in given:
            raise BadWish(f"{name}: is there twice")
        given[name] = value
    options = CellOptions("again" in words, tuple(sorted(given.items())))
    options.wish()
    return options
