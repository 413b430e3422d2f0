"""`dask-tasks`: a storm of tiny tasks on a Dask cluster, beside plain dask-jobqueue."""

from bench.dask_room import STOCK, STOCK_TLS, DaskRoom, dask_room, sides, table
from bench.handoff import Found
from bench.handoff_room import Driver
from bench.proc import cpu_since
from bench.report import Goal, Report

_TASKS = 20_000
_METHOD = (
    "One ordinary account; the same slice, Python and packages on all sides, one worker a job, 2 workers; "
    "one interpreter that has both imported, in a session; sides alternating, a few hundred tasks of each "
    f"turn not counted. A storm is {_TASKS:,} tiny tasks, sent and gathered. dask-jobqueue as it comes, "
    "without encryption, and with its own; ours always has TLS."
)
_WORDS = {
    "storm": f"{_TASKS:,} tiny tasks on 2 workers",
    "cpu": "its processor time, on all sides of the wire",
}


async def measure(*, rounds: int, slice_id: str) -> Report:
    """The same storm by all means, in turn."""
    found = Found()
    async with dask_room(slice_id, tasks=_TASKS) as here, here.driver() as person:
        for turn in range(rounds):
            for side in (*sides(turn), STOCK_TLS):
                await _storm(found, here, person, side, slice_id)
    return report(found, slice_id)


async def _storm(found: Found, here: DaskRoom, person: Driver, side: str, slice_id: str) -> None:
    before = here.jobs()
    await person.ask("up", side, slice=slice_id, jobs=2)
    spent = here.cpu()
    found.add("storm", side, (await person.ask("storm", side))["storm"])
    found.add("cpu", side, cpu_since(spent, here.cpu()))
    await person.ask("down", side)
    await here.until_only(before.keys())


def report(found: Found, slice_id: str) -> Report:
    """The table and the goals."""
    made = table(f"dask-tasks on {slice_id}", _METHOD, _WORDS, found)
    made.goals += [
        Goal("median beside stock's without encryption", found.ratio("storm", STOCK), 1.05),
        Goal("median beside stock's with TLS", found.ratio("storm", STOCK_TLS), 1.05),
    ]
    return made
