"""The same once more."""

import pickle
from pathlib import Path
from typing import Any

from skiva.runs.files import read_json
from skiva.runs.run import Run
from skiva.runs.submit import Luggage, send
from skiva.runs.wish import BadWish, wish

__all__ = ["again"]

_TAKEN = ("call.pkl", "items.pkl", "input.ipynb", "variables.pkl")
_OPTIONS = frozenset({"slice", "hours", "name", "restarts", "at_once", "resume"})


def again(run: Run, **changes: Any) -> Run:
    """Send what `run` was made of off again, with its own variables; of a map what did not complete.

    Raises:
        BadWish: an option is not possible; names it.
        NotSubmitted: Slurm refused, or did not answer.
    """
    if unknown := sorted(set(changes) - _OPTIONS):
        raise BadWish(f"{unknown[0][:60]}: there is no such option; there are {', '.join(sorted(_OPTIONS))}")
    spec = run.spec
    known = {name: getattr(spec, name) for name in _OPTIONS}
    if spec.tasks is None:
        known["at_once"] = None
    wanted = wish(**{**known, **changes})
    files = {name: (run.directory / name).read_bytes() for name in _TAKEN if (run.directory / name).exists()}
    tasks = spec.tasks
    if tasks is not None:
        left = [number for number, status in run.tasks().items() if status.state != "completed"]
        if not left:
            raise BadWish("items: all of them completed, so there is nothing to run again")
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
