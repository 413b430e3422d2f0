"""Tries every device of the node: one's own must open, everybody else's must not.

A device file without a driver behind it (a simulated slice) answers "no such device" when the
fence lets one through, and "not permitted" when it does not, so the same proof holds there.
"""

import argparse
import errno
import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

_FENCED = {errno.EPERM, errno.EACCES}
_ABSENT = {errno.ENOENT, errno.ENOTDIR}


@dataclass(frozen=True)
class Proof:
    """What a job found."""

    devices: dict[str, str]
    """Each device file: `open`, `denied` or `absent`."""
    allowed: int | None
    """How many it should be able to open; None where that is not to be proved."""
    openable: int
    memory_limit: int | None
    """Bytes that the node enforces, or None."""
    exclusive: bool
    sentence: str

    def report(self) -> dict[str, object]:
        """What the hub is told: numbers, not names."""
        return {
            "exclusive": self.exclusive,
            "openable": self.openable,
            "denied": sum(1 for answer in self.devices.values() if answer == "denied"),
            "memory_limit": self.memory_limit,
            "sentence": self.sentence,
        }


def prove(patterns: Iterable[str], always_open: Iterable[str], allowed: int | None) -> Proof:
    """Open every device file that the patterns name, and judge."""
    ignored = {path for pattern in always_open for path in _matching(pattern)}
    paths = sorted({path for pattern in patterns for path in _matching(pattern)} - ignored)
    devices = {path: try_open(path) for path in paths}
    return judge(devices, allowed, _memory_limit())


def _matching(pattern: str) -> set[str]:
    absolute = Path(pattern)
    return {str(path) for path in Path(absolute.anchor).glob(str(absolute.relative_to(absolute.anchor)))}


def try_open(path: str) -> str:
    """`open` where the fence lets this process through, else `denied` or `absent`."""
    try:
        os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC))
    except OSError as problem:
        if problem.errno in _FENCED:
            return "denied"
        return "absent" if problem.errno in _ABSENT else "open"
    return "open"


def judge(devices: dict[str, str], allowed: int | None, memory_limit: int | None) -> Proof:
    """Compare what opened with what should."""
    openable = sum(1 for answer in devices.values() if answer == "open")
    present = sum(1 for answer in devices.values() if answer != "absent")
    if allowed is None:
        sentence = f"{openable} of {present} devices can be opened; this slice claims none for itself."
    elif openable > allowed:
        sentence = (
            f"This node does not fence its devices: {openable} of {present} can be opened, "
            f"{allowed} would be yours."
        )
    elif openable < allowed:
        sentence = f"Slurm gave this session {openable} of the {allowed} devices that it asked for."
    else:
        sentence = f"{openable} of {present} devices can be opened: those that Slurm gave to this session."
    return Proof(devices, allowed, openable, memory_limit, allowed == openable, sentence)


def _memory_limit() -> int | None:
    from skiva.server.memory import read_memory

    memory = read_memory(int(os.environ.get("SLURM_JOB_ID", "0")), None)
    return memory.limit if memory else None


def main() -> None:
    """`python -I -m skiva.session.proof --json`, for `skiva doctor`'s probe jobs."""
    parser = argparse.ArgumentParser(description="Try every device of this node.")
    parser.add_argument("--json", action="store_true", help="print the proof as JSON")
    parser.add_argument("--device", action="append", default=[], help="a glob pattern of device files")
    parser.add_argument(
        "--always-open", action="append", default=[], help="a pattern of those that all may open"
    )
    parser.add_argument("--allowed", type=int, default=None, help="how many should open")
    options = parser.parse_args()
    proof = prove(options.device, options.always_open, options.allowed)
    print(json.dumps(asdict(proof)) if options.json else proof.sentence)


if __name__ == "__main__":
    main()
