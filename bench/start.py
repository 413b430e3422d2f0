"""`start`: from a process's start to its server's first answer."""

import asyncio
import os
import random
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from bench.ours import CannotMeasure
from bench.proc import cpu_seconds, family, free_ports
from bench.report import Goal, Report, spread
from bench.start_caches import drop
from bench.start_hub import stand_in
from bench.start_opens import STRACE, count
from bench.start_sides import PREFIX, Place, Side

_PATIENCE = 120.0
_NOBODY = 65534
_METHOD = (
    "Process start to the first answer to GET api, in an account without rights, sides alternating; one "
    "start of each side beforehand is not counted. Cold: before each start, {cold}. Processor time and "
    "resident memory are those of warm starts, all processes of a side together, at the first answer. "
    "Opened: successful opens of files and directories on the path that all nodes share, by strace in a "
    "start of its own."
)


@dataclass(frozen=True)
class Start:
    """One start: seconds to the first answer, processor seconds and resident MiB at that moment."""

    seconds: float
    cpu: float
    memory: float


@dataclass
class Found:
    """All starts of one side."""

    warm: list[Start] = field(default_factory=list)
    cold: list[Start] = field(default_factory=list)
    opened: int = 0


async def measure(sides: Sequence[Side], *, rounds: int) -> Report:
    """Start each side in turn; the first of `sides` is the one that the others are compared with."""
    if not shutil.which(STRACE[0]):
        raise CannotMeasure("strace is missing; it counts the files that are opened.")
    found = {side.name: Found() for side in sides}
    how = ""
    _let_everybody_mount_files()
    with _room(len(sides) * (2 * rounds + 2)) as room:
        for turn in range(rounds + 1):
            for side in sides:
                start = await _start(side, room)
                if turn:
                    found[side.name].warm.append(start)
        for _ in range(rounds):
            for side in sides:
                how = drop([side.shared, *side.python])
                found[side.name].cold.append(await _start(side, room))
        for side in sides:
            found[side.name].opened = await _opened(side, room)
    return _report(found, how)


@dataclass(frozen=True)
class _Room:
    """A directory with an account's home, a hub, and ports of which each is used once."""

    here: Path
    api_url: str
    ports: Iterator[int]

    @property
    def log(self) -> Path:
        return self.here / "log"

    def place(self) -> Place:
        port, home = next(self.ports), self.here / "home"
        return Place(_own_folder(home / f"run{port}"), home, port, self.api_url)


@contextmanager
def _room(starts: int) -> Iterator[_Room]:
    here = Path(tempfile.mkdtemp(prefix="skiva-bench-", dir="/var/tmp"))
    here.chmod(0o755)
    _own_folder(here / "home")
    try:
        with stand_in() as api_url:
            # Ports that an earlier measurement has just left cannot be taken again at once.
            first = random.randrange(28_500, 31_500)  # noqa: S311 - guards nothing
            yield _Room(here, api_url, iter(free_ports(starts, first)))
    finally:
        shutil.rmtree(here, ignore_errors=True)


def _let_everybody_mount_files() -> None:
    """Give /dev/fuse the mode that udev gives it, where this machine has none."""
    device = Path("/dev/fuse")
    if os.geteuid() == 0 and device.exists() and device.stat().st_mode & 0o666 != 0o666:
        device.chmod(0o666)


def _own_folder(path: Path) -> Path:
    path.mkdir(mode=0o700)
    if os.geteuid() == 0:
        os.chown(path, _NOBODY, _NOBODY)
    return path


async def _start(side: Side, room: _Room) -> Start:
    place = room.place()
    command, env = side.prepare(place)
    with room.log.open("wb") as output:
        begun = time.monotonic()
        process = _run(command, env, place.home, output.fileno())
        try:
            await _first_answer(side, place.port, process, room.log)
            seconds = time.monotonic() - begun
            return Start(seconds, cpu_seconds(process.pid), _resident(process.pid))
        finally:
            await asyncio.to_thread(_end, process)


async def _opened(side: Side, room: _Room) -> int:
    place = room.place()
    command, env = side.prepare(place)
    trace = place.run_dir / "trace"
    with room.log.open("wb") as output:
        process = _run([*STRACE, str(trace), *command], env, place.home, output.fileno())
        try:
            await _first_answer(side, place.port, process, room.log)
        finally:
            await asyncio.to_thread(_end, process)
    return count(trace, side.is_shared(place))


def _run(command: Sequence[str], env: Mapping[str, str], cwd: Path, output: int) -> "subprocess.Popen[bytes]":
    """Start a command in an account without rights, as far as this one may."""
    return run_as(_NOBODY if os.geteuid() == 0 else os.geteuid(), command, env, cwd, output)


def run_as(
    uid: int, command: Sequence[str], env: Mapping[str, str], cwd: Path, output: int
) -> "subprocess.Popen[bytes]":
    """Start a command; the kernel ends it when this process dies."""
    account = [] if uid == os.geteuid() else [f"--reuid={uid}", f"--regid={uid}", "--clear-groups"]
    return subprocess.Popen(
        ["/usr/bin/setpriv", *account, "--pdeathsig=TERM", *command],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        env=env,
        cwd=cwd,
        start_new_session=True,
    )


async def _first_answer(side: Side, port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    question = f"GET {PREFIX}api HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode()
    deadline = time.monotonic() + _PATIENCE
    while process.poll() is None and time.monotonic() < deadline:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=side.tls)
        except OSError:
            await asyncio.sleep(0.005)
            continue
        try:
            writer.write(question)
            async with asyncio.timeout(_PATIENCE):
                answer = await reader.readline()
        except OSError:
            continue  # it ended; its own words say why
        finally:
            writer.close()
        if answer.split()[1:2] != [b"200"]:
            raise CannotMeasure(f"The server answered {answer.decode(errors='replace').strip()}.")
        return
    raise CannotMeasure(f"The server did not start: {_end_of(log)}")


def _end_of(log: Path) -> str:
    return log.read_text(errors="replace")[-2000:]


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End it with everything that it started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _resident(pid: int) -> float:
    """MiB of main memory that a process and everything below it hold."""
    return sum(_resident_pages(member) for member in family(pid)) * os.sysconf("SC_PAGESIZE") / 1024**2


def _resident_pages(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0


def _report(found: dict[str, Found], how: str) -> Report:
    columns = ("", "warm", "cold", "processor", "memory", "opened")
    report = Report("start", _METHOD.format(cold=how), columns)
    for name, one in found.items():
        values: dict[str, object] = {
            "warm": [s.seconds for s in one.warm],
            "cold": [s.seconds for s in one.cold],
            "cpu": [s.cpu for s in one.warm],
            "memory_mib": [s.memory for s in one.warm],
        }
        cells = [spread([s.seconds for s in starts]) for starts in (one.warm, one.cold)]
        cpu, memory = median(s.cpu for s in one.warm), median(s.memory for s in one.warm)
        report.rows.append((name, *cells, f"{cpu:.2f} s", f"{memory:.0f} MiB", str(one.opened)))
        report.raw[name] = values | {"opened": one.opened}
    report.goals += _goals(found)
    return report


def _goals(found: dict[str, Found]) -> Iterator[Goal]:
    (first, beside), *others = found.items()
    for name, one in others:
        ratio = _median(one.warm) / _median(beside.warm)
        yield Goal(f"{name}: warm, median beside {first}'s", ratio, 0.6)
    if "sif" in found and "env" in found:
        ratio = found["sif"].opened / found["env"].opened
        yield Goal("sif: files opened on the shared path beside env's", ratio, 0.1)


def _median(starts: Sequence[Start]) -> float:
    return median(start.seconds for start in starts)
