"""`dask`: from the call to a Dask cluster's workers and to their end, beside plain dask-jobqueue."""

import asyncio
import os
import pwd
import signal
import time
from collections.abc import Mapping
from dataclasses import replace
from statistics import median

from bench import dask_driver
from bench.handoff import Found
from bench.handoff_room import Driver, Room, driver, room
from bench.proc import account_cpu, cpu_since
from bench.report import Goal, Report, spread

STOCK, STOCK_TLS = "dask-jobqueue", "dask-jobqueue with TLS"
_SIZES = (1, 4, 16)
_TASKS = 20_000
_MINUTES = 20
_ELSEWHERE = "1g.10gb"
"""The session's own slice, so that the nodes of the measured one are all for workers."""
_FENCED, _ASKED, _FIT = "h100", 6, 4
"""A slice of which `_FIT` jobs run at once; what is asked for; 4 GPUs on the embedded nodes."""
_KILLS = 2
_LEFT = 240.0
_METHOD = (
    "One ordinary account; the same slice, Python and packages on both sides, one worker a job; one warm "
    "interpreter that has both imported, in a session; sides alternating, one turn of each beforehand not "
    "counted. A turn makes a cluster without workers, scales it, connects a client, waits for all workers, "
    "and closes. dask-jobqueue's defaults otherwise: no encryption; ours always has TLS. Requests are those "
    "that slurmctld counts for the account, from the call until the last job is gone; the session asks "
    f"nothing meanwhile. A storm is {_TASKS:,} tiny tasks on 2 workers, sent and gathered. The kill ends the "
    f"program in which the scheduler lives, with {_FIT} jobs that run and {_ASKED - _FIT} that wait."
)
_WORDS = {
    "made": "the call returns, without workers",
    **{f"ready {size}": f"from the call to {size} workers ready" for size in _SIZES},
    **{f"cpu {size}": f"processor time until {size} workers are ready" for size in _SIZES},
    **{f"requests {size}": f"requests to slurmctld: {size} workers, up and down" for size in _SIZES},
    f"scale {_SIZES[-1]}": f"scale({_SIZES[-1]}) returns",
    f"close {_SIZES[-1]}": f"close() of {_SIZES[-1]} returns",
    f"gone {_SIZES[-1]}": f"from close() to the last of {_SIZES[-1]} jobs gone",
    "storm": f"{_TASKS:,} tiny tasks on 2 workers",
    "storm: cpu": "its processor time, on all sides of the wire",
    "killed: gone": "kill -9 to the last job gone",
    "killed: ran": "jobs that waited at the kill ran for, together",
}


async def measure(*, rounds: int, slice_id: str) -> Report:
    """Scale out by both sides' means, in turn."""
    found = Found()
    async with room(_ELSEWHERE) as session:
        here = replace(session, python=session.cluster.dir / "venv/base/bin/python")
        slices = {name: here.option(name) for name in {slice_id, _FENCED}}
        options = {**slices, "minutes": _MINUTES, "tasks": _TASKS}
        async with driver(here, options, dask_driver.__file__) as person:
            await _sizes(found, person, here, slice_id, rounds)
            await _storms(found, person, here, slice_id, rounds)
        for turn in range(min(rounds, _KILLS)):
            for side in _sides(turn):
                await _kill(found, here, options, side)
    return report(found, slice_id)


def _sides(turn: int) -> tuple[str, ...]:
    return ("skiva", STOCK) if turn % 2 == 0 else (STOCK, "skiva")


async def _sizes(found: Found, person: Driver, here: Room, slice_id: str, rounds: int) -> None:
    for side in _sides(1):
        await _turn(person, here, side, slice_id, 1)
    for turn in range(rounds):
        for size in _SIZES:
            for side in _sides(turn):
                told = await _turn(person, here, side, slice_id, size)
                found.add("made", side, told.pop("made"))
                for name, value in told.items():
                    if f"{name} {size}" in _WORDS:
                        found.add(f"{name} {size}", side, value)


async def _turn(person: Driver, here: Room, side: str, slice_id: str, size: int) -> dict[str, float]:
    before, spent = _jobs(here), _cpu(here)
    here.cluster.slurm.reset_counts()
    told = dict(await person.ask("up", side, slice=slice_id, jobs=size))
    told["cpu"], begun = cpu_since(spent, _cpu(here)), time.monotonic()
    told |= await person.ask("down", side)
    await _until_only(here, before.keys())
    told["gone"] = time.monotonic() - begun
    told["requests"] = here.cluster.slurm.counts().by_user.get(here.name, 0)
    return told


async def _storms(found: Found, person: Driver, here: Room, slice_id: str, rounds: int) -> None:
    for turn in range(rounds):
        for side in (*_sides(turn), STOCK_TLS):
            before = _jobs(here)
            await person.ask("up", side, slice=slice_id, jobs=2)
            spent = _cpu(here)
            found.add("storm", side, (await person.ask("storm", side))["storm"])
            found.add("storm: cpu", side, cpu_since(spent, _cpu(here)))
            await person.ask("down", side)
            await _until_only(here, before.keys())


async def _kill(found: Found, here: Room, options: Mapping[str, object], side: str) -> None:
    before = _jobs(here)
    async with driver(here, options, dask_driver.__file__) as person:
        await person.ask("up", side, slice=_FENCED, jobs=_ASKED, ready=_FIT)
        async with asyncio.timeout(_LEFT):
            while len(_waiting(here)) < _ASKED - _FIT:  # noqa: ASYNC110 - Slurm tells of no event
                await asyncio.sleep(0.1)
        waiting, begun, last, ran = _waiting(here), time.monotonic(), time.monotonic(), 0.0
        os.kill(person.pid, signal.SIGKILL)
        async with asyncio.timeout(_LEFT):
            while (left := await asyncio.to_thread(_jobs, here)).keys() - before.keys():
                now = time.monotonic()
                ran += (now - last) * sum(left.get(job) == "RUNNING" for job in waiting)
                last = now
                await asyncio.sleep(0.1)
        found.add("killed: gone", side, time.monotonic() - begun)
        found.add("killed: ran", side, ran)


def _cpu(here: Room) -> dict[tuple[int, str], float]:
    """Processor seconds that this person's programs have used."""
    return account_cpu(pwd.getpwnam(here.name).pw_uid)


def _jobs(here: Room) -> dict[str, str]:
    """The person's jobs that are not over: their states by number, each task of an array by itself."""
    options = ("--noheader", "--array", f"--user={here.name}", "--format=%i %T")
    lines = here.cluster.slurm.run("squeue", *options).splitlines()
    return {line.split()[0]: line.split()[1] for line in lines if line.strip()}


def _waiting(here: Room) -> set[str]:
    return {job for job, state in _jobs(here).items() if state == "PENDING"}


async def _until_only(here: Room, before: object) -> None:
    async with asyncio.timeout(_LEFT):
        while (await asyncio.to_thread(_jobs, here)).keys() != before:  # noqa: ASYNC110 - no event tells
            await asyncio.sleep(0.1)


def report(found: Found, slice_id: str) -> Report:
    """The table and the goals."""
    made = Report(f"dask on {slice_id}", _METHOD, ("", "skiva", "peer", "", "ratio"))
    for what, words in _WORDS.items():
        sides = found.values.get(what, {})
        for side in (name for name in sides if name != "skiva"):
            row = (words, _shown(what, sides["skiva"]), _shown(what, sides[side]), side)
            made.rows.append((*row, f"{found.ratio(what, side):.2f}" if median(sides[side]) else ""))
        made.raw[what] = dict(sides)
    most = _SIZES[-1]
    made.goals += [
        *(
            Goal(f"{size} workers, median beside stock's", found.ratio(f"ready {size}", STOCK), 1.0)
            for size in _SIZES
        ),
        Goal(f"requests for {most}, beside stock's", found.ratio(f"requests {most}", STOCK), 0.25),
        Goal("storm: median beside stock's without encryption", found.ratio("storm", STOCK), 1.05),
        Goal("storm: median beside stock's with TLS", found.ratio("storm", STOCK_TLS), 1.05),
        Goal("kill -9: the last job gone, s", max(found.values["killed: gone"]["skiva"]), 10.0),
        Goal("kill -9: seconds of jobs that waited", max(found.values["killed: ran"]["skiva"]), 0.0),
    ]
    return made


def _shown(what: str, values: list[float]) -> str:
    if what.startswith("requests"):
        return f"{median(values):g} ({min(values):g} to {max(values):g})"
    return spread(values)
