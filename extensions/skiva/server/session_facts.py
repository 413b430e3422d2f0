"""What a server knows of the session it lives in: written by the launcher, read by the server extension."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Self

FILE_NAME = "session.json"
"""Its name in the run directory; it holds no secrets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionFacts:
    """One session, as the launcher found it in its Slurm job. Times are seconds since 1970."""

    slice: str
    """The id of the slice, e.g. `1g.10gb`."""
    title: str
    """The slice's name for people."""
    environment: str = ""
    """The environment's name for people."""
    environment_id: str = ""
    """What the site calls it."""
    digest: str = ""
    """Of the environment that runs the server, e.g. `sha256:…`; empty where it has no record."""
    isolation: str = "none"
    """`exclusive`, `shared` or `none`, as it was proved in the job."""
    simulated: bool = False
    job_id: int = 0
    node: str = ""
    gres: str = ""
    """What the job holds, in Slurm's words, e.g. `gpu:1g.10gb:1`."""
    started: float | None = None
    ends: float | None = None
    """When Slurm ends the job; None where there is no time limit."""
    warn: int = 0
    """Seconds before the end at which Slurm sends the warning signal; 0: it sends none."""
    memory_mb: int | None = None
    """Memory asked of Slurm, in MiB: shown where no cgroup tells the limit."""
    extend_hours: float = 0.0
    """Hours that one press on *Extend* adds; 0 where the site does not offer it."""
    extend_until: float | None = None
    """The latest end that the site allows, where it is known."""

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> Self:
        """Take the known fields out of `values`, leaving out whatever has the wrong type.

        Raises ValueError where slice or title is missing.
        """
        known = {f.name: values[f.name] for f in fields(cls) if _fits(f.name, values.get(f.name))}
        if "slice" not in known:
            raise ValueError(f"{FILE_NAME}: slice is missing, so this is no description of a session")
        known.setdefault("title", known["slice"])
        return cls(**known)

    def to_json(self) -> str:
        """The text of the file."""
        return json.dumps(asdict(self), indent=1)


_TEXT = {"slice", "title", "environment", "environment_id", "digest", "isolation", "node", "gres"}
_WHOLE = {"job_id", "warn", "memory_mb"}


def _fits(name: str, value: object) -> bool:
    if name in _TEXT:
        return isinstance(value, str) and (name != "slice" or bool(value))
    if name == "simulated":
        return isinstance(value, bool)
    if isinstance(value, bool):
        return False
    return isinstance(value, int if name in _WHOLE else (int, float))


def facts_file(environ: Mapping[str, str]) -> Path | None:
    """Where the launcher wrote this session's facts, or None outside a session."""
    directory = environ.get("SKIVA_RUN_DIR", "")
    return Path(directory) / FILE_NAME if directory else None


def read_facts(path: Path) -> SessionFacts | None:
    """The session that `path` describes, or None where it is missing or not readable as one."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        return SessionFacts.from_mapping(values)
    except (OSError, ValueError, AttributeError):
        return None


def write_facts(path: Path, facts: SessionFacts) -> None:
    """Write `facts` in one step, so that a reader never sees half of them.

    Raises OSError where the directory is missing or full.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.write_text(facts.to_json(), encoding="utf-8")
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
