"""A world of its own for one process of the tests: accounts, homes, temporary files and processes.

`command(…)` is what goes before a Python's own arguments. Two worlds share the network, the kernel's
cgroups and what is installed; in each there may be a `researcher1`, with a home that the other never sees
and, because the kernel tells whose a connection is by number alone, with a number of its own. It takes root.
When the process ends, everything that it has left behind ends with it.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path

__all__ = ["command"]

_HIDDEN = {"/tmp": "1777", "/var/tmp": "1777", "/home": "755"}  # noqa: S108 - they are what is meant
"""What is empty in a new world, and its mode there."""
_OURS = r"^(researcher[0-9]|instructor[0-9]|skiva-)"


def command(number: int = 0) -> list[str]:
    """What runs this Python in a world of its own; `number` tells those side by side apart."""
    namespaces = ("--mount", "--pid", "--ipc", "--fork", "--mount-proc", "--kill-child")
    python = (sys.executable, __file__, str(number))
    return ["/usr/bin/unshare", *namespaces, "--propagation", "slave", "--", *python]


def main(number: int, arguments: list[str]) -> int:
    """Become the first process of a new world, run Python in it and collect whatever is left behind."""
    if os.getpid() != 1:
        raise SystemExit("This hides files of the whole machine outside of namespaces of its own.")
    _make_files(number)
    # What a shell starts in the background ignores it, and so would everything below.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    child = subprocess.Popen([sys.executable, *arguments])
    while True:
        pid, status = os.waitpid(-1, 0)
        if pid == child.pid:
            return os.waitstatus_to_exitcode(status) & 0xFF


def _make_files(number: int) -> None:
    # The checkout, and what is installed for its tests, may be in one of the places.
    here = Path.cwd()
    needed = [Path(__file__).parents[2], Path(os.environ.get("SKIVA_TEST_DIR", sys.prefix))]
    kept = [(path, os.open(path, os.O_PATH)) for path in needed if _is_hidden(path)]
    # Memory, not a disk: a suite that waits for a disk all the time tells nothing more about Skiva.
    for place, mode in _HIDDEN.items():
        _run("mount", "-t", "tmpfs", "-o", f"mode={mode},size=75%", "skiva-test", place)
    for path, opened in kept:
        path.mkdir(parents=True, exist_ok=True)
        # What the link leads to, not the path that it is called by, which is hidden now.
        _run("mount", "--no-canonicalize", "--bind", f"/proc/{os.getpid()}/fd/{opened}", str(path))
        os.close(opened)
    os.chdir(here)  # as it is here
    etc = Path("/tmp/.etc")  # noqa: S108
    _run("cp", "-a", "/etc", str(etc))
    for name in ("passwd", "shadow", "group", "gshadow", "subuid", "subgid"):
        _run("sed", "-i", "-E", rf"/{_OURS}/d; s/(:|,)(researcher|instructor)[0-9][^,]*//g", str(etc / name))
    with (etc / "login.defs").open("a") as settings:
        for kind in ("UID", "GID"):
            least, system = 20_000 + 1_000 * number, 900 - 20 * number
            settings.write(f"{kind}_MIN {least}\n{kind}_MAX {least + 999}\n")
            settings.write(f"SYS_{kind}_MIN {system - 19}\nSYS_{kind}_MAX {system}\n")
    for record in etc.glob("skiva-accounts.*"):
        record.unlink()
    _run("mount", "--bind", str(etc), "/etc")


def _is_hidden(path: Path) -> bool:
    return any(path.resolve().is_relative_to(place) for place in _HIDDEN)


def _run(*argv: str) -> None:
    subprocess.run(argv, check=True, stdout=sys.stderr)


if __name__ == "__main__":
    raise SystemExit(main(int(sys.argv[1]), sys.argv[2:]))
