"""What a person does with runs: send off, cancel, repeat, delete, bring back. All of it for a thread."""

import errno
import os
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from skiva.runs.again import again as repeat
from skiva.runs.notebook.drafts import read_draft, write_draft
from skiva.runs.notebook.handing import send_notebook
from skiva.runs.paths import RunDir
from skiva.runs.run import Run
from skiva.runs.wish import BadWish
from skiva.server.problems import Problem, body_of, told

from .places import opened

__all__ = ["again", "cancel", "delete", "draft", "restore", "submit"]

_LARGEST = 100 * 1024 * 1024
"""Bytes of a request."""
_TRASH = ".trash"
_FIELDS = frozenset(
    {"kind", "path", "content", "slice", "hours", "name", "parameters", "resume", "restarts"}
    | {"start_at", "draft", "key"}
)
_OPTIONS = ("slice", "hours", "name", "restarts", "key")


def _body(raw: bytes, fields: frozenset[str] = _FIELDS) -> dict[str, Any]:
    if len(raw) > _LARGEST:
        raise Problem(413, f"content: must be at most {_LARGEST // 1024**2} MiB; clear large outputs first.")
    return body_of(raw, fields)


def submit(root: Path, served: Path | None, raw: bytes) -> str:
    """Send a notebook off, as the page has it; the run's id. Raises Problem."""
    body = _body(raw)
    if body.get("kind", "notebook") != "notebook":
        raise Problem(400, "kind: must be notebook; functions and cells are sent off from a kernel.")
    return told(lambda: _submitted(root, served, body), "run")


def _submitted(root: Path, served: Path | None, body: Mapping[str, Any]) -> str:
    content, path = body.get("content"), body.get("path")
    if body.get("draft") is not None:
        kept = read_draft(root, body["draft"])
        content, path = content or kept.get("content"), path or kept.get("path")
    if not isinstance(content, dict):
        raise BadWish("content: must be the notebook's JSON")
    run = send_notebook(
        content,
        place_of(served, path),
        body.get("parameters") or None,
        resume=body.get("resume", False),
        start_at=body.get("start_at", 0),
        **{name: body.get(name) for name in _OPTIONS},
    )
    return run.id


def draft(root: Path, served: Path | None, raw: bytes) -> dict[str, str]:
    """Keep a notebook for the kernel that sends its rest off. Raises Problem."""
    body = _body(raw, frozenset({"path", "content"}))
    if not isinstance(body.get("content"), dict):
        raise Problem(400, "content: must be the notebook's JSON.")
    return told(
        lambda: {"draft": write_draft(root, str(place_of(served, body.get("path"))), body["content"])}, "run"
    )


def place_of(served: Path | None, path: object) -> Path:
    """Where a notebook is that the file browser calls `path`. Raises BadWish where it is nowhere."""
    if not isinstance(path, str) or not path.strip("/") or len(path) > 4000 or "\0" in path:
        raise BadWish("path: must be the path of a notebook, as the file browser shows it")
    if served is None:
        raise BadWish("path: this server's files are not on a disk that jobs could see")
    parts = PurePosixPath(path.lstrip("/")).parts
    if path.startswith(f"{served}/"):
        parts = PurePosixPath(path).relative_to(served).parts
    if ".." in parts:
        raise BadWish("path: must be below the directory that the file browser shows")
    return served.joinpath(*parts)


def cancel(root: Path, run: str) -> None:
    """End a run, as its owner: of somebody else's job Slurm says no. Raises Problem."""
    told(lambda: _run(root, run).cancel(), "run")


def again(root: Path, run: str, raw: bytes) -> str:
    """Send the same off once more; the new run's id. Raises Problem."""
    changes = _body(raw, frozenset({"slice", "hours", "name", "restarts", "at_once", "resume", "key"}))
    return told(lambda: repeat(_run(root, run), **changes).id, "run")


def _run(root: Path, run: str) -> Run:
    with opened(root, run):
        found = Run(RunDir.of(root, run))
    if found.id != run:
        raise ValueError("What is written about this run is of another one.")
    return found


# -- deleting ------------------------------------------------------------------------------------


def delete(root: Path, run: str) -> None:
    """Move a run's directory out of sight. Raises LookupError or Problem."""
    with opened(root, run):
        pass
    trash = root / _TRASH
    trash.mkdir(mode=0o700, exist_ok=True)
    _move(root, trash, run, f"The run {run} is in the trash already.")


def restore(root: Path, run: str) -> None:
    """Bring a deleted run back. Raises LookupError or Problem."""
    with opened(root / _TRASH, run):
        pass
    _move(root / _TRASH, root, run, f"The run {run} is there already.")


def _move(source: Path, target: Path, run: str, taken: str) -> None:
    places = []
    try:
        for place in (source, target):
            last = os.O_NOFOLLOW if place.name == _TRASH else 0
            places.append(os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | last))
        # An empty directory would be replaced.
        if _is_there(places[1], run):
            raise Problem(409, taken)
        os.rename(run, run, src_dir_fd=places[0], dst_dir_fd=places[1])
    except OSError as problem:
        if problem.errno in {errno.ENOTEMPTY, errno.EEXIST}:
            raise Problem(409, taken) from None
        raise Problem(503, f"The run could not be moved: {problem.strerror}.") from None
    finally:
        for number in places:
            os.close(number)


def _is_there(place: int, name: str) -> bool:
    try:
        os.stat(name, dir_fd=place, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True
