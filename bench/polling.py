"""`polling`: what servers that run, and servers that wait, cost slurmctld and the hub."""

import asyncio
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bench import stand_in
from bench.ours import Cluster, cluster
from bench.peer import stock
from bench.people import people
from bench.report import Goal, Report
from bench.side import Side, together
from skiva_hub.toml_text import table

_PER_PERSON = 50
_AT_ONCE = 8
_MEMORY_MB = 128
_CORES = 512
_PENDING = (1, 40)
_METHOD = (
    "Servers are light stand-ins in real Slurm jobs. Requests are sdiag's count over the window without "
    "sdiag's own, scaled to a minute; hub CPU is of the hub and all that it runs. Pending jobs wait for a "
    "slice that is taken."
)


@dataclass(frozen=True)
class Reading:
    """One state of one side, watched for a while."""

    side: str
    running: int
    pending: int
    requests: float
    """A minute."""
    types: Mapping[str, int]
    """The same by type, in the whole window, with the other hub's."""
    cpu: float
    """Seconds a minute."""


async def measure(*, servers: int, peer_servers: int, seconds: float) -> Report:
    """Watch both sides with none, some and many servers, and with pending ones beside them."""
    found: list[Reading] = []
    async with cluster() as ours:
        program = _install_stand_in(ours)
        pending = max(_PENDING)
        with people(-(-(servers + pending) // _PER_PERSON), ours.dir / "homes") as names:
            await _make_room(ours, program)
            await ours.side.add_users(names)
            states = [(count, 0) for count in (0, 10, servers)] + [(servers, count) for count in _PENDING]
            found += await _watch_side(ours.side, ours, names, states, seconds)
            async with stock(
                ours, partition="cpu", gres="", cores=1, memory_mb=_MEMORY_MB, wrapper=program
            ) as peer:
                await peer.add_users(names)
                states = [(count, 0) for count in (0, 10, peer_servers)] + [(peer_servers, 10)]
                found += await _watch_side(peer, ours, names, states, seconds)
    return _report(found)


def _install_stand_in(ours: Cluster) -> Path:
    program = ours.dir / "stand-in"
    python = (ours.dir / "venv/base/bin/python").resolve()
    program.write_text(f"#!{python} -IS\n{Path(stand_in.__file__).read_text()}")
    program.chmod(0o755)
    return program


async def _make_room(ours: Cluster, program: Path) -> None:
    """Let the cluster hold many small servers: more declared cores, and a site file to match."""
    conf = ours.dir / "slurm" / "slurm.conf"
    conf.write_text(re.sub(r"(?m)^(NodeName=cpu-.* CPUs=)\d+", rf"\g<1>{_CORES}", conf.read_text()))
    path = ours.dir / "site.toml"
    site = tomllib.loads(path.read_text())
    site["limits"]["servers"] = _PER_PERSON
    site["environment"][0]["python"] = str(program)
    for one in site["slice"]:
        if one["id"] == "cpu":
            one |= {"cores": 1, "memory_mb": _MEMORY_MB}
    text = [table("", {name: value for name, value in site.items() if isinstance(value, str)})]
    for name, value in site.items():
        if isinstance(value, dict):
            text.append(table(f"[{name}]", value))
        elif isinstance(value, list):
            text += [table(f"[[{name}]]", one) for one in value]
    path.write_text("\n".join(text))
    await ours.restart("slurmctld", "cpu", "hub")


async def _watch_side(
    side: Side, ours: Cluster, names: list[str], states: list[tuple[int, int]], seconds: float
) -> list[Reading]:
    places = iter([(name, f"s{number}" if number else "") for number in range(_PER_PERSON) for name in names])
    options = {"slice": "cpu"} if side.form else {}
    waiting = {"slice": "1g.10gb"} if side.form else {"partition": "slices", "gres": "gpu:1g.10gb:1"}
    used: list[tuple[str, str]] = []
    found, running, pending = [], 0, 0
    _take_all_slices(ours)
    try:
        for wanted_running, wanted_pending in states:
            started = [next(places) for _ in range(wanted_running - running)]
            used += started
            await together((_start(side, place, options) for place in started), at_once=_AT_ONCE)
            queued = [next(places) for _ in range(wanted_pending - pending)]
            used += queued
            await together(side.start(*place, options=waiting) for place in queued)
            running, pending = wanted_running, wanted_pending
            await _until_settled(ours, running + 1, pending)
            found.append(await _watch(side, ours, running, pending, seconds))
    finally:
        await together((side.stop(*place) for place in used), at_once=_AT_ONCE)
        # Also jobs that a hub has forgotten.
        for user in ("root", *names):
            ours.slurm.run("scancel", f"--user={user}")
        await ours.slurm.until_empty(300)
    return found


def _take_all_slices(ours: Cluster) -> None:
    """One job holds every slice, so that whoever wants one waits."""
    wanted = (
        "--partition=slices",
        "--gres=gpu:1g.10gb:7",
        "--mem=1G",
        "--job-name=taken",
        "--output=/dev/null",
    )
    ours.slurm.run("sbatch", *wanted, "--time=4:00:00", stdin="#!/bin/sh\nexec sleep 100000\n")


async def _start(side: Side, place: tuple[str, str], options: Mapping[str, object]) -> None:
    user, server = place
    await side.start(user, server, options)
    await side.until(user, lambda servers: bool(servers.get(server, {}).get("ready")))


async def _until_settled(ours: Cluster, running: int, pending: int) -> None:
    async with asyncio.timeout(120):
        while True:
            states = [state for _, state in await asyncio.to_thread(ours.slurm.jobs)]
            if [states.count("RUNNING"), states.count("PENDING")] == [running, pending]:
                return
            await asyncio.sleep(0.5)


async def _watch(side: Side, ours: Cluster, running: int, pending: int, seconds: float) -> Reading:
    await asyncio.sleep(5)
    ours.slurm.reset_counts()
    before = side.cpu()
    await asyncio.sleep(seconds)
    counts, cpu = ours.slurm.counts(), side.cpu() - before
    scale = 60 / seconds
    # Both hubs run all the time, and ours reads the queue.
    requests = counts.total(without="" if side.asks_as else ours.side.asks_as)
    return Reading(side.name, running, pending, requests * scale, counts.by_type, cpu * scale)


def _report(found: list[Reading]) -> Report:
    columns = ("", "running", "pending", "slurmctld requests a minute", "hub CPU s a minute")
    report = Report("polling", _METHOD, columns)
    for one in found:
        row = (one.side, str(one.running), str(one.pending), f"{one.requests:.0f}", f"{one.cpu:.2f}")
        report.rows.append(row)
    ours = [one for one in found if one.side == "skiva"]
    idle = max(one.requests for one in ours if not one.pending)
    busy = max(one.requests for one in ours if one.pending)
    report.goals.append(Goal("requests a minute while nothing waits, however many run", idle, 12))
    report.goals.append(Goal("requests a minute while some wait, however many", busy, 200))
    report.raw["readings"] = [
        {
            "side": r.side,
            "running": r.running,
            "pending": r.pending,
            "requests": r.requests,
            "types": dict(r.types),
            "cpu": r.cpu,
        }
        for r in found
    ]
    return report
