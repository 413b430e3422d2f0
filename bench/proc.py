"""Programs that a measurement starts and ends, and what they have used."""

import os
import socket
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def start(argv: Sequence[str], log: Path, env: Mapping[str, str], cwd: Path) -> subprocess.Popen[bytes]:
    """Start a program that the kernel ends when this process dies, however it dies."""
    with log.open("ab") as output:
        return subprocess.Popen(
            ["/usr/bin/setpriv", "--pdeathsig=TERM", *argv],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=dict(env),
            cwd=cwd,
            start_new_session=True,
        )


def end(process: subprocess.Popen[bytes], seconds: float) -> None:
    """SIGTERM and, where that has not ended it in time, SIGKILL."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def cpu_seconds(pid: int) -> float:
    """Processor seconds of a process and of everything that it started, as far as it ended or still runs."""
    members = family(pid)
    return sum(sum(map(int, fields[11:15])) for child, fields in _all() if child in members) / _TICKS


def family(pid: int) -> set[int]:
    """A process and everything that runs below it."""
    parents = {child: int(fields[1]) for child, fields in _all()}
    members = {pid}
    while grown := {child for child, parent in parents.items() if parent in members} - members:
        members |= grown
    return members


def account_cpu_seconds(uid: int) -> float:
    """Processor seconds of everything that runs in an account, and of what ended below it."""
    return sum(account_cpu(uid).values())


def account_cpu(uid: int) -> dict[tuple[int, str], float]:
    """The same of each process, by its number and the moment of its start."""
    found: dict[tuple[int, str], float] = {}
    for child, fields in _all():
        try:
            mine = Path(f"/proc/{child}").stat().st_uid == uid
        except OSError:
            continue
        if mine:
            found[child, fields[19]] = sum(map(int, fields[11:15])) / _TICKS
    return found


def cpu_since(before: Mapping[tuple[int, str], float], now: Mapping[tuple[int, str], float]) -> float:
    """Processor seconds between two looks, of what is there at the second one."""
    return sum(spent - before.get(process, 0.0) for process, spent in now.items())


def _all() -> list[tuple[int, list[str]]]:
    found = []
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            try:
                text = Path(entry.path, "stat").read_text()
            except OSError:
                continue
            # From the state on; the name before it may have spaces and brackets.
            found.append((int(entry.name), text.rpartition(")")[2].split()))
    return found


def free_ports(count: int, first: int = 28_500) -> list[int]:
    """Ports of 127.0.0.1 that nobody listens on, below those that the kernel gives out."""
    found: list[int] = []
    for port in range(first, 32_000):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        found.append(port)
        if len(found) == count:
            return found
    raise OSError("too few ports of 127.0.0.1 are free")
