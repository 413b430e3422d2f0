"""The same once more."""

import pickle
from pathlib import Path
from typing import Any

from skiva.runs.files import read_json
from skiva.runs.run import Run
from skiva.runs.submit import Luggage, send
from skiva.runs.wish import BadWish, wish

__all__ = ["again"]

_TAKEN = ("call.pkl", "items.pkl", "input.ipynb", "variables.pkl", "program.py")
_UNDER_WAY = frozenset({"completed", "running", "ending", "queued", "requeued"})
_OPTIONS = frozenset({"slice", "hours", "name", "restarts", "at_once", "resume"})
_CHANGES = _OPTIONS | {"key"}


def again(run: Run, **changes: Any) -> Run:
    """Send what `run` was made of off again, with its own variables; of a map what did not complete.

    Args:
        changes: options of the new run; a `key` that a run has already gives that run.

    Raises:
        BadWish: an option is not possible; names it.
        NotSubmitted: Slurm refused, or did not answer.
    """
    if unknown := sorted(set(changes) - _CHANGES):
        raise BadWish(f"{unknown[0][:60]}: there is no such option; there are {', '.join(sorted(_CHANGES))}")
    spec = run.spec
    known = {name: getattr(spec, name) for name in _OPTIONS}
    wanted = wish(**{**known, **changes})
    files = {name: (run.directory / name).read_bytes() for name in _TAKEN if (run.directory / name).exists()}
    tasks = spec.tasks
    if tasks is not None:
        left = _left(run)
        items = pickle.loads(files["items.pkl"])  # noqa: S301 - of this person's own run
        files["items.pkl"] = pickle.dumps([items[number] for number in left])
        tasks = len(left)
    luggage = Luggage(
        kind=spec.kind,
        name=spec.name,
        files=files,
        tasks=tasks,
        argv=spec.argv,
        parameters=spec.parameters,
        source=spec.source,
        start_at=spec.start_at,
        cwd=spec.cwd if Path(spec.cwd).is_dir() else "",
        sys_path=spec.sys_path,
        again_of=spec.id,
    )
    env = {str(k): str(v) for k, v in (read_json(run.directory / "env.json") or {}).items()}
    return Run(send(luggage, wanted, env))


def _left(run: Run) -> list[int]:
    """The tasks of a map that ended without a result, or never came to Slurm."""
    tasks = run.tasks()
    left = [number for number, status in tasks.items() if status.state not in _UNDER_WAY]
    if left:
        return left
    if any(status.state != "completed" for status in tasks.values()):
        raise BadWish("items: none of them has failed so far, and the others are still waiting or running")
    raise BadWish("items: all of them completed, so there is nothing to run again")
