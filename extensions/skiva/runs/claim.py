"""One run for each key, however often and by however many it is submitted.

A claim is a small file that appears whole or not at all and is never taken away: where whoever made it came
to nothing, the next one lies beside it under the next number, and again only one can be the first with that.
"""

import hashlib
import os
import secrets
import time
from collections.abc import Iterator
from pathlib import Path

from skiva.runs.files import read_json, read_plain
from skiva.runs.ids import is_run_id
from skiva.runs.paths import RunDir

__all__ = ["claim", "claimed"]

_PATIENCE = 10.0
"""Seconds from a claim to its run, which waits complete beside the others; a rename takes less."""
_MOST = 10_000


def claimed(root: Path, key: str, *, refused: bool = False) -> RunDir | None:
    """The run that has this key, or a `refused` one if such are asked for; None where there is none."""
    last = None
    for place in _places(root, key):
        if not place.exists():
            break
        run = _run(root, place)
        if run is not None and _lives(run):
            return run
        last = run or last
    return last if refused else None


def claim(root: Path, key: str, run_id: str) -> RunDir | None:
    """The run that has this key; None when the key is `run_id`'s now, which must appear at once.

    Raises:
        OSError: the claim could not be written.
    """
    keys = root / ".keys"
    keys.mkdir(mode=0o700, exist_ok=True)
    mine = keys / f".{secrets.token_hex(8)}"
    mine.write_text(run_id)
    try:
        for place in _places(root, key):
            try:
                os.link(mine, place)  # all or nothing, on a network file system too
            except FileExistsError:
                run = _awaited(root, place)
                if run is not None and _lives(run):
                    return run
            else:
                return None
    finally:
        mine.unlink(missing_ok=True)
    raise OSError(f"key: {key!r:.60} was refused too often; take another one")


def _places(root: Path, key: str) -> Iterator[Path]:
    place = root / ".keys" / hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
    yield place
    for number in range(1, _MOST):
        yield place.with_name(f"{place.name}.{number}")


def _run(root: Path, place: Path) -> RunDir | None:
    """The run behind a claim, if it is there."""
    try:
        owner = read_plain(place, 100).decode("ascii", "replace")
    except OSError:
        return None
    run = RunDir(root / owner) if is_run_id(owner) else None
    return run if run is not None and run.spec.exists() else None


def _awaited(root: Path, place: Path) -> RunDir | None:
    """The same, once it is there; None where whoever claimed it came to nothing."""
    end = time.monotonic() + _PATIENCE
    while (run := _run(root, place)) is None and time.monotonic() < end and _is_fresh(place):
        time.sleep(0.02)
    return run


def _is_fresh(place: Path) -> bool:
    """Whether it may have been made a moment ago, though clocks of file servers are not ours."""
    try:
        return abs(time.time() - place.stat().st_mtime) < 12 * _PATIENCE
    except OSError:
        return False


def _lives(run: RunDir) -> bool:
    """Whether Slurm has taken it, or may have."""
    return not run.refused.exists() and (read_json(run.seen) or {}).get("state") != "refused"
