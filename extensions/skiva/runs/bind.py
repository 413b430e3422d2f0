"""Brings a cell's variables back into the notebook."""

import pickle
import sys
from typing import Any

from skiva.runs.run import Run

__all__ = ["bind"]


def bind(run: Run, namespace: dict[str, Any] | None = None) -> list[str]:
    """Put the variables that a cell assigned into `namespace`, by default the notebook's own; their names.

    Raises:
        TypeError: the run is not a cell's.
        RunFailed: it ended without a result.
    """
    if run.spec.kind != "cell":
        raise TypeError(f"Run {run.id} is a {run.spec.kind}'s, so there are no variables; use its result().")
    target = vars(sys.modules["__main__"]) if namespace is None else namespace
    found = run.result()
    for name, content in found["variables"].items():
        target[name] = pickle.loads(content)  # noqa: S301 - of this person's own run
    for sentence in found["stay"]:
        print(sentence.replace("to the job", "back from the job"))
    return list(found["variables"])
