"""Which variables the rest of a notebook takes along: from the text of its cells. Pure."""

import re
from collections.abc import Callable, Iterable

from skiva.runs.needs import needs

__all__ = ["names_read"]

_NAME = re.compile(r"[^\W\d]\w*")


def names_read(
    cells: Iterable[str], known: Iterable[str], transform: Callable[[str], str] | None = None
) -> list[str]:
    """The names among `known` that running these cells in order needs, or may need.

    What is read by other means, such as `globals()`, cannot be seen.

    Args:
        cells: the cells' texts.
        known: the names of all variables that there are.
        transform: turns IPython's own syntax into Python; of a text that is none even then every word counts.
    """
    code: list[str] = []
    words: set[str] = set()
    for cell in cells:
        text = transform(cell) if transform else cell
        try:
            needs(text)
        except (SyntaxError, ValueError):
            words.update(_NAME.findall(text))
        else:
            code.append(text)
    found = needs("\n".join(code))
    return [name for name in known if name in found.read | found.perhaps | words]
