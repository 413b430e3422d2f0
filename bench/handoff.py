"""`handoff`: from a function or a notebook to its result through the queue, beside submitit and papermill."""

import asyncio
import json
import subprocess
import time
from dataclasses import dataclass, field
from statistics import median

import aiohttp

from bench import handoff_listing
from bench.handoff_room import Driver, Room, driver, program, room
from bench.ours import CannotMeasure
from bench.report import Goal, Report, spread
from bench.start_opens import STRACE, below, count

_ITEMS = 200
_MINUTES = 10
_LINES = 20
_MAPS = 2
"""Turns of the map at most: a loop takes a minute."""
_LOOP = "submitit, a loop"
_METHOD = (
    "One ordinary account; the same slice, Python and packages on both sides; one warm interpreter that has "
    "both imported; sides alternating, one turn of each beforehand not counted. submitit looks for its "
    "result every second, as it does by default; papermill's end is looked for every 20 ms. `file` is the "
    "moment at which the result is on disk, whoever looks. In a loop submitit pauses 0.2 s between two "
    "submissions, as it does by default. The map's submissions are slurmctld's count; its "
    f"partition starts nothing meanwhile. Listing: {handoff_listing.MANY} runs that have ended."
)
_WORDS = {
    "function: submit": "function: submission alone",
    "function: file": "function: its result is on disk",
    "function: result": "function: submit to result",
    "notebook: submit": "notebook of three cells: submission alone",
    "notebook: result": "notebook of three cells: submit to outputs",
    "map: submit": f"map of {_ITEMS}: submission",
    "print: logs": "print to logs(follow=True)",
    "print: server": "print to GET skiva/runs/ID/log",
    "list: jobs": f"skiva.jobs(limit={handoff_listing.SHOWN}) as a table",
    "list: first": "the panel's first answer",
    "list: index": f"the panel's first {handoff_listing.SHOWN} runs",
    "list: again": "the panel's next answer",
}


@dataclass
class Found:
    """Every value in seconds, by what was measured and by side; and numbers that do not vary."""

    values: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def add(self, what: str, side: str, *values: float) -> None:
        """More of them."""
        self.values.setdefault(what, {}).setdefault(side, []).extend(values)

    def ours(self, what: str) -> float:
        """Our median."""
        return median(self.values[what]["skiva"])

    def ratio(self, what: str, side: str) -> float:
        """Our median beside that of another side."""
        return self.ours(what) / median(self.values[what][side])


async def measure(*, rounds: int, slice_id: str) -> Report:
    """Hand work to the queue by both sides' means, in turn."""
    found = Found()
    async with room() as here:
        options = {**here.option(slice_id), "minutes": _MINUTES, "items": _ITEMS}
        async with driver(here, options) as person:
            await _turns(found, person, "result", ("skiva", "submitit"), rounds)
            await _turns(found, person, "notebook", ("skiva", "papermill"), rounds)
            await _maps(found, person, here, options["partition"], rounds)
            await _print(found, person, here)
        _list(found, here, rounds)
    return report(found, slice_id)


async def _turns(found: Found, person: Driver, do: str, sides: tuple[str, ...], rounds: int) -> None:
    what = "function" if do == "result" else do
    for turn in range(rounds + 1):
        for side in sides:
            told = await person.ask(do, side)
            if turn:
                for name, value in told.items():
                    found.add(f"{what}: {name}", side, value)


async def _maps(found: Found, person: Driver, here: Room, partition: str, rounds: int) -> None:
    slurm = here.cluster.slurm
    for turn in range(min(rounds, _MAPS) + 1):
        for side in ("skiva", _LOOP, f"{_LOOP} without its pauses", "submitit, map_array"):
            slurm.run("scontrol", "update", f"PartitionName={partition}", "State=DOWN")
            slurm.reset_counts()
            try:
                told = await person.ask("map", side)
                sent = slurm.counts().by_type.get("REQUEST_SUBMIT_BATCH_JOB", 0)
            finally:
                slurm.run("scancel", f"--user={here.name}", "--state=PENDING")
                slurm.run("scontrol", "update", f"PartitionName={partition}", "State=UP")
            if turn:
                found.add("map: submit", side, told["submit"])
                found.counts[f"map: {side}"] = sent


async def _print(found: Found, person: Driver, here: Room) -> None:
    run = (await person.ask("speak", ""))["id"]
    found.add("print: logs", "skiva", *(await person.ask("heard", run))["late"])
    run = (await person.ask("speak", ""))["id"]
    found.add("print: server", "skiva", *await _followed(here, run))


async def _followed(here: Room, run: str) -> list[float]:
    """How late each line is at whoever asks the session's server through the hub's proxy, every 0.1 s."""
    late: list[float] = []
    offset, end = 0, time.monotonic() + 60
    async with aiohttp.ClientSession(headers={"Authorization": f"token {here.token}"}) as http:
        while len(late) < _LINES and time.monotonic() < end:
            async with http.get(f"{here.server}runs/{run}/log?offset={offset}") as answer:
                if answer.status != 200:
                    raise CannotMeasure(f"The session answered {answer.status}: {await answer.text()}")
                told = await answer.json()
            now, offset = time.time(), told["next"]
            said = [line.split() for line in told["text"].splitlines()]
            late += [now - float(words[1]) for words in said if words[:1] == ["said"]]
            await asyncio.sleep(0.1)
    return late


def _list(found: Found, here: Room, rounds: int) -> None:
    root = here.home / "many"
    path = program(here.cluster, handoff_listing.__file__)
    _listed(here.argv(path, "make", str(root)), here)
    for turn in range(rounds + 1):
        for what in ("jobs", "index"):
            told = _listed(here.argv(path, what, str(root)), here)
            if turn:
                found.add(f"list: {what}", "skiva", told["seconds"])
                for name in told.keys() - {"seconds"}:
                    found.add(f"list: {name}", "skiva", told[name])
    trace = here.cluster.dir / "trace"
    for what in ("jobs", "index"):
        _listed([*STRACE, str(trace), *here.argv(path, what, str(root))], here)
        found.counts[f"list: {what}"] = count(trace, below(root))


def _listed(argv: list[str], here: Room) -> dict[str, float]:
    done = subprocess.run(argv, env=here.env(), cwd="/", capture_output=True, text=True, check=False)
    if done.returncode:
        raise CannotMeasure(done.stderr[-2000:])
    return dict(json.loads(done.stdout))


def report(found: Found, slice_id: str) -> Report:
    """The table and the goals."""
    made = Report(f"handoff on {slice_id}", _METHOD, ("", "skiva", "peer", "", "ratio"))
    for what, sides in found.values.items():
        ours, words = spread(sides["skiva"]), _WORDS[what]
        peers = [side for side in sides if side != "skiva"]
        for side in peers:
            made.rows.append((words, ours, spread(sides[side]), side, f"{found.ratio(what, side):.2f}"))
        if not peers:
            made.rows.append((words, ours, "", "", ""))
        made.raw[what] = dict(sides)
    for what, number in found.counts.items():
        subject, _, side = what.partition(": ")
        words = f"submissions by {side}" if subject == "map" else f"opens of files and directories, {side}"
        made.rows.append((words, str(number), "", "", ""))
    made.raw["counts"] = dict(found.counts)
    made.goals += [
        Goal("function: result, median beside submitit's", found.ratio("function: result", "submitit"), 1.0),
        Goal("function: on disk, median beside submitit's", found.ratio("function: file", "submitit"), 1.0),
        Goal(
            "notebook: median beside papermill's in sbatch", found.ratio("notebook: result", "papermill"), 1.0
        ),
        Goal("map: time beside a loop of submitit's", found.ratio("map: submit", _LOOP), 0.1),
        Goal(
            "map: time beside a loop of submitit's without its pauses",
            found.ratio("map: submit", f"{_LOOP} without its pauses"),
            0.1,
        ),
        Goal("map: submissions", found.counts["map: skiva"], 1),
        Goal("print to the server, latest, s", max(found.values["print: server"]["skiva"]), 2.0),
        Goal(f"the panel's first {handoff_listing.SHOWN} runs, s", found.ours("list: index"), 1.0),
    ]
    return made
