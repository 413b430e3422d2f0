"""A cell in a job: its code, the variables that it reads, and afterwards those that it assigned."""

import pickle
import sys
from types import ModuleType
from typing import Any

from skiva.runs.paths import RunDir
from skiva.runs.travel import packed_variables

__all__ = ["run_cell"]


def run_cell(run: RunDir) -> dict[str, Any]:
    """Run the cell; what it assigned as pickles by name, and a sentence for each that cannot travel back."""
    code, assigned = pickle.loads(run.call.read_bytes())  # noqa: S301 - the person's own
    sent = pickle.loads(run.variables.read_bytes()) if run.variables.exists() else {}  # noqa: S301
    # What the cell defines belongs to `__main__`, as in the notebook, so that it can travel back.
    module = ModuleType("__main__")
    sys.modules["__main__"] = module
    namespace = vars(module)
    namespace |= {name: pickle.loads(content) for name, content in sent.items()}  # noqa: S301
    exec(compile(code, "<batch cell>", "exec"), namespace)  # noqa: S102 - this is what a cell is
    there = [name for name in assigned if name in namespace]
    variables, sentences = packed_variables(there, namespace)
    return {"variables": variables, "stay": sentences}
