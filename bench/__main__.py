"""`python -m bench NAME [--json]`: what `./skiva bench` runs."""

import argparse
import asyncio
import signal
import sys
from pathlib import Path

from bench import chaos, dask, dask_tasks, handoff, polling, spawn, start, start_images, start_sides, storm
from bench.client import ClickFailed
from bench.ours import CannotMeasure
from bench.report import Report
from bench.side import AnsweredOtherwise


def main() -> int:
    """Take one measurement and print it; the exit status says whether it could be taken."""
    given = _parser().parse_args()
    try:
        if given.name == "chaos":
            return _chaos(given)
        report = asyncio.run(_until_told_to_end(given))
    except (AnsweredOtherwise, CannotMeasure, ClickFailed, TimeoutError) as problem:
        print(f"skiva: bench {given.name}: {str(problem) or type(problem).__name__}", file=sys.stderr)
        return 1
    except (KeyboardInterrupt, asyncio.CancelledError):
        return 130
    print(report.json() if given.json else report.text())
    return 0


def _chaos(given: argparse.Namespace) -> int:
    """1 where a promise was broken; a storm that is told to end clears away what it has started."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    report = chaos.measure(minutes=given.minutes, seed=given.seed)
    print(report.json() if given.json else report.text())
    return 0 if all(goal.reached for goal in report.goals) else 1


async def _until_told_to_end(given: argparse.Namespace) -> Report:
    if me := asyncio.current_task():
        for number in (signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, me.cancel)
    if given.name == "spawn":
        return await spawn.measure(rounds=given.rounds or 5)
    if given.name == "storm":
        return await storm.measure(users=given.users, rounds=given.rounds or 3)
    if given.name == "start":
        return await start.measure(_sides(given), rounds=given.rounds or 5)
    if given.name == "handoff":
        return await handoff.measure(rounds=given.rounds or 5, slice_id=given.slice)
    if given.name == "dask":
        return await dask.measure(rounds=given.rounds or 3, slice_id=given.slice)
    if given.name == "dask-tasks":
        return await dask_tasks.measure(rounds=given.rounds or 5, slice_id=given.slice)
    return await polling.measure(
        servers=given.servers, peer_servers=given.peer_servers, seconds=given.seconds
    )


def _sides(given: argparse.Namespace) -> list[start_sides.Side]:
    env = start_images.environment(given.env)
    images = {form: start_images.image(form, getattr(given, form)) for form in ("oci", "sif")}
    return [start_sides.plain(env), *start_sides.forms(env, images["oci"], images["sif"])]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="skiva bench", description="Measure beside peers.")
    measurements = parser.add_subparsers(dest="name", required=True, metavar="NAME")
    known = {
        "spawn": "from a click to the first usable page",
        "storm": "the same for many people at once",
        "start": "from a process's start to its server's first answer, for each form of an environment",
        "handoff": "from a function, a notebook or a map to its result by way of the queue",
        "dask": "from the call to a Dask cluster's workers, and what a kill leaves",
        "dask-tasks": "a storm of tiny tasks on such a cluster",
        "chaos": "random deeds and kills, and whether every promise holds after them",
        "polling": "what servers that run or wait cost Slurm and the hub",
    }
    made = {name: measurements.add_parser(name, help=text, description=text) for name, text in known.items()}
    for command in made.values():
        command.add_argument("--json", action="store_true", help="for programs")
    for name in ("spawn", "storm", "start", "handoff", "dask", "dask-tasks"):
        made[name].add_argument("--rounds", type=int, help="how often each side is measured")
    made["storm"].add_argument("--users", type=int, default=8, help="how many people click at once")
    for name in ("handoff", "dask", "dask-tasks"):
        made[name].add_argument("--slice", default="cpu", help="the slice that is asked for")
    made["chaos"].add_argument("--minutes", type=float, default=30.0, help="how long it storms")
    made["chaos"].add_argument("--seed", type=int, help="which deeds; else by chance")
    made["polling"].add_argument("--servers", type=int, default=200, help="servers that run at most")
    made["polling"].add_argument("--peer-servers", type=int, default=50, help="the same on stock's side")
    made["polling"].add_argument("--seconds", type=float, default=60.0, help="how long each state is watched")
    made["start"].add_argument("--env", type=Path, help="an environment's directory; else the tests' own")
    made["start"].add_argument("--oci", type=Path, help="an image's root directory; else one is built")
    made["start"].add_argument("--sif", type=Path, help="a single-file image; else one is built")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
