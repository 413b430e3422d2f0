"""A world of its own for one process of the tests: accounts, homes, temporary files and processes.

`command(…)` is what goes before a Python's own arguments. Two worlds share the network, the kernel's
cgroups and what is installed; in each there may be a `researcher1`, with a home that the other never sees.
It takes root. When the process ends, everything that it has left behind ends with it.
"""

import os
import subprocess
import sys
from pathlib import Path

__all__ = ["command"]

_OURS = r"^(researcher[0-9]|instructor[0-9]|skiva-)"


def command(python: str = sys.executable) -> list[str]:
    """The command line that runs `python` in a world of its own."""
    namespaces = ("--mount", "--pid", "--ipc", "--fork", "--mount-proc", "--kill-child")
    return ["/usr/bin/unshare", *namespaces, "--propagation", "slave", "--", python, __file__]


def main(arguments: list[str]) -> int:
    """Become the first process of a new world, run Python in it and collect whatever is left behind."""
    _make_files()
    child = subprocess.Popen([sys.executable, *arguments])
    while True:
        pid, status = os.waitpid(-1, 0)
        if pid == child.pid:
            return os.waitstatus_to_exitcode(status) & 0xFF


def _make_files() -> None:
    # Memory, not a disk: a suite that waits for a disk all the time tells nothing more about Skiva.
    for place, mode in (("/tmp", "1777"), ("/var/tmp", "1777"), ("/home", "755")):  # noqa: S108
        _run("mount", "-t", "tmpfs", "-o", f"mode={mode},size=75%", "skiva-test", place)
    etc = Path("/tmp/.etc")  # noqa: S108
    _run("cp", "-a", "/etc", str(etc))
    for name in ("passwd", "shadow", "group", "gshadow", "subuid", "subgid"):
        _run("sed", "-i", "-E", rf"/{_OURS}/d; s/(:|,)(researcher|instructor)[0-9][^,]*//g", str(etc / name))
    for record in etc.glob("skiva-accounts.*"):
        record.unlink()
    _run("mount", "--bind", str(etc), "/etc")


def _run(*argv: str) -> None:
    subprocess.run(argv, check=True, stdout=sys.stderr)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
