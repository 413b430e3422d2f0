"""`dask`: from the call to a Dask cluster's workers and to their end, beside plain dask-jobqueue."""

import asyncio
import os
import signal
import time

from bench.dask_room import LEFT, STOCK, DaskRoom, dask_room, sides, table
from bench.handoff import Found
from bench.handoff_room import Driver
from bench.proc import cpu_since
from bench.report import Goal, Report

_SIZES = (1, 4, 16)
_FENCED, _ASKED, _FIT = "h100", 6, 4
"""A slice of which `_FIT` jobs run at once; what is asked for; 4 GPUs on the embedded nodes."""
_KILLS = 2
_METHOD = (
    "One ordinary account; the same slice, Python and packages on both sides, one worker a job; one warm "
    "interpreter that has both imported, in a session; sides alternating, one turn of each beforehand not "
    "counted. A turn makes a cluster without workers, scales it, connects a client, waits for all workers, "
    "and closes. dask-jobqueue's defaults otherwise: no encryption; ours always has TLS. Requests are those "
    "that slurmctld counts for the account, from the call until the last job is gone; the session asks "
    f"nothing meanwhile. The kill ends the program in which the scheduler lives, with {_FIT} jobs that run "
    f"and {_ASKED - _FIT} that wait."
)
_WORDS = {
    "made": "the call returns, without workers",
    **{f"ready {size}": f"from the call to {size} workers ready" for size in _SIZES},
    **{f"cpu {size}": f"processor time until {size} workers are ready" for size in _SIZES},
    **{f"requests {size}": f"requests to slurmctld: {size} workers, up and down" for size in _SIZES},
    f"scale {_SIZES[-1]}": f"scale({_SIZES[-1]}) returns",
    f"close {_SIZES[-1]}": f"close() of {_SIZES[-1]} returns",
    f"gone {_SIZES[-1]}": f"from close() to the last of {_SIZES[-1]} jobs gone",
    "killed: gone": "kill -9 to the last job gone",
    "killed: ran": "jobs that waited at the kill ran for, together",
}


async def measure(*, rounds: int, slice_id: str) -> Report:
    """Scale out by both sides' means, in turn."""
    found = Found()
    async with dask_room(slice_id, _FENCED) as here:
        async with here.driver() as person:
            for side in sides(1):
                await _turn(person, here, side, slice_id, 1)
            for turn in range(rounds):
                for size in _SIZES:
                    for side in sides(turn):
                        _note(found, side, size, await _turn(person, here, side, slice_id, size))
        for turn in range(min(rounds, _KILLS)):
            for side in sides(turn):
                await _kill(found, here, side)
    return report(found, slice_id)


def _note(found: Found, side: str, size: int, told: dict[str, float]) -> None:
    found.add("made", side, told["made"])
    for name, value in told.items():
        if f"{name} {size}" in _WORDS:
            found.add(f"{name} {size}", side, value)


async def _turn(person: Driver, here: DaskRoom, side: str, slice_id: str, size: int) -> dict[str, float]:
    before, spent = here.jobs(), here.cpu()
    slurm = here.here.cluster.slurm
    slurm.reset_counts()
    told = dict(await person.ask("up", side, slice=slice_id, jobs=size))
    told["cpu"], begun = cpu_since(spent, here.cpu()), time.monotonic()
    told |= await person.ask("down", side)
    await here.until_only(before.keys())
    told["gone"] = time.monotonic() - begun
    told["requests"] = slurm.counts().by_user.get(here.here.name, 0)
    return told


async def _kill(found: Found, here: DaskRoom, side: str) -> None:
    before = here.jobs()
    async with here.driver() as person:
        await person.ask("up", side, slice=_FENCED, jobs=_ASKED, ready=_FIT)
        async with asyncio.timeout(LEFT):
            while len(here.waiting()) < _ASKED - _FIT:  # noqa: ASYNC110 - Slurm tells of no event
                await asyncio.sleep(0.1)
        waiting, begun, last, ran = here.waiting(), time.monotonic(), time.monotonic(), 0.0
        os.kill(person.pid, signal.SIGKILL)
        async with asyncio.timeout(LEFT):
            while (left := await asyncio.to_thread(here.jobs)).keys() - before.keys():
                now = time.monotonic()
                ran += (now - last) * sum(left.get(job) == "RUNNING" for job in waiting)
                last = now
                await asyncio.sleep(0.1)
        found.add("killed: gone", side, time.monotonic() - begun)
        found.add("killed: ran", side, ran)


def report(found: Found, slice_id: str) -> Report:
    """The table and the goals."""
    made = table(f"dask on {slice_id}", _METHOD, _WORDS, found)
    most = _SIZES[-1]
    made.goals += [
        *(
            Goal(f"{size} workers, median beside stock's", found.ratio(f"ready {size}", STOCK), 1.0)
            for size in _SIZES
        ),
        Goal(f"requests for {most}, beside stock's", found.ratio(f"requests {most}", STOCK), 0.25),
        Goal("kill -9: the last job gone, s", max(found.values["killed: gone"]["skiva"]), 10.0),
        Goal("kill -9: seconds of jobs that waited", max(found.values["killed: ran"]["skiva"]), 0.0),
    ]
    return made
