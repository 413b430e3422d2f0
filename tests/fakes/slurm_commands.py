"""squeue, scontrol, sbatch and scancel of the fake Slurm, driven by a state file.

Called as `python -I -S slurm_commands.py DIRECTORY NAME ARGUMENTS…` by the small executables that
`tests.fakes.slurm.FakeSlurm` writes. Standard library only, because it runs outside any environment.
"""

import fcntl
import json
import os
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

State = dict[str, Any]
_HANG_SECONDS = 3600
_TIMED_OUT = "Batch job submission failed: Socket timed out on send/recv operation"
_RUNNING = {"RUNNING", "SUSPENDED", "COMPLETING", "STOPPED"}


@contextmanager
def opened(directory: Path) -> Iterator[State]:
    """The state, locked, and written back at the end of the block."""
    with (directory / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        state: State = json.loads((directory / "state.json").read_text())
        yield state
        text = directory / f"state.{os.getpid()}"
        text.write_text(json.dumps(state))
        text.replace(directory / "state.json")


def _fault(state: State, name: str) -> State:
    """The fault that this call has, counted down."""
    fault: State = state["faults"].get(name) or {}
    if fault and fault.get("times") is not None:
        fault["times"] -= 1
        if fault["times"] <= 0:
            del state["faults"][name]
    return fault


def _options(argv: list[str]) -> dict[str, str]:
    pairs = (argument[2:].partition("=") for argument in argv if argument.startswith("--"))
    return {name: value for name, _, value in pairs}


def _squeue(state: State, argv: list[str], fault: State) -> str:
    fields = [item.partition(":")[::2] for item in os.environ["SQUEUE_FORMAT2"].split(",")]
    heading = "".join(name.upper() + end for name, end in fields)
    rows = [heading]
    for number, job in state["jobs"].items():
        if fault.get("forget") or int(number) in fault.get("lose_jobs", []):
            continue
        row = "".join(str(job.get(name, "N/A")) + end for name, end in fields)
        rows += [row, row] if fault.get("duplicate") else [row]
    return "\n".join(rows) + "\n"


def _gres(text: str) -> Counter[str]:
    """`gpu:h100:2` as 2 of `gpu:h100`."""
    counts: Counter[str] = Counter()
    for entry in filter(None, text.split(",")):
        kind, _, count = entry.rpartition(":")
        counts[kind] += int(count)
    return counts


def _node(state: State, node: State) -> str:
    jobs = [j for j in state["jobs"].values() if j["state"] in _RUNNING and j["nodelist"] == node["name"]]
    used: Counter[str] = Counter()
    for job in jobs:
        used += _gres(job["gres"])
    held = ",".join(f"{kind}:{used[kind]}(IDX:N/A)" for kind in _gres(node["gres"]))
    pairs = {
        "NodeName": node["name"],
        "CPUAlloc": sum(job["cores"] for job in jobs),
        "CPUTot": node["cores"],
        "Gres": node["gres"] or "(null)",
        "GresUsed": held or "(null)",
        "NodeAddr": node["address"],
        "RealMemory": node["memory_mb"],
        "AllocMem": sum(job["memory_mb"] for job in jobs),
        "State": node["state"],
        "Partitions": ",".join(node["partitions"]),
    }
    return " ".join(f"{name}={value}" for name, value in pairs.items())


def _scontrol(state: State, argv: list[str], fault: State) -> str:
    if "update" in argv:
        wanted = {name.lower(): value for name, _, value in (word.partition("=") for word in argv)}
        job = state["jobs"].get(wanted.get("jobid", ""))
        if job is None:
            raise SystemExit("slurm_update error: Invalid job id specified")
        job["endtime"] = int(job["starttime"]) + 60 * int(wanted["timelimit"])
        return ""
    if "config" in argv:
        return "".join(f"{name} = {value}\n" for name, value in fault.get("config", {}).items())
    nodes = [node for node in state["nodes"].values() if node["name"] not in fault.get("lose_nodes", [])]
    return "".join(_node(state, node) + " \n" for node in nodes) or "No nodes in the system\n"


def _sbatch(state: State, argv: list[str], fault: State) -> str:
    options = _options(argv)
    known = {name for node in state["nodes"].values() for name in node["partitions"]}
    if options["partition"] not in known:
        raise SystemExit("sbatch: error: Batch job submission failed: Invalid partition name specified")
    script = sys.stdin.read()
    number = 0
    for _ in range(2 if fault.get("duplicate") else 1):
        number = state["next_id"]
        state["next_id"] += 1
        state["jobs"][str(number)] = new_job(number, options) | {
            "script": script,
            "argv": argv,
            "environment": dict(os.environ),
        }
    if fault.get("lose"):
        raise SystemExit(f"sbatch: error: {_TIMED_OUT}")
    return f"{number}\n"


def new_job(number: int, options: dict[str, str]) -> State:
    """A job that waits, in squeue's fields."""
    return {
        "jobid": number,
        "username": os.environ.get("FAKE_SLURM_USER") or os.environ.get("USER") or "root",
        "state": "PENDING",
        "partition": options["partition"],
        "nodelist": "",
        "tres-per-node": f"gres:{options['gres']}" if options.get("gres") else "N/A",
        "submittime": int(time.time()),
        "starttime": "N/A",
        "endtime": "N/A",
        "prioritylong": 1,
        "restartcnt": 0,
        "exit_code": 0,
        "arrayjobid": number,
        "arraytaskid": options.get("array", "N/A"),
        "reason": "Priority",
        "comment": options.get("comment", "(null)"),
        "gres": options.get("gres", ""),
        "cores": int(options.get("cpus-per-task", 1)),
        "memory_mb": int(re.sub("[^0-9]", "", options.get("mem", "0"))),
        "minutes": int(options.get("time", 60)),
    }


def task_of_its_own(state: State, array: int, task: int) -> int:
    """Give a task that waits with the rest of its array a row of its own, as Slurm does; its number."""
    row = state["jobs"][str(array)]
    waiting, _, limit = row["arraytaskid"].partition("%")
    first, _, last = waiting.partition("-")
    tasks = list(range(int(first), int(last or first) + 1)) if "," not in waiting else waiting.split(",")
    rest = [str(one) for one in tasks if int(one) != task]
    if len(rest) == len(tasks):
        raise ValueError(f"task {task} of job {array} does not wait")
    if not rest:
        row["arraytaskid"] = str(task)
        return array
    together = int(rest[-1]) - int(rest[0]) == len(rest) - 1 and len(rest) > 1
    number: int = state["next_id"]
    state["next_id"] += 1
    state["jobs"][str(number)] = {**row, "jobid": number, "arraytaskid": str(task)}
    row["arraytaskid"] = (f"{rest[0]}-{rest[-1]}" if together else ",".join(rest)) + (limit and f"%{limit}")
    return number


def _meant(state: State, argument: str) -> list[State]:
    """The jobs that `7` (all of array 7 too) or `7_3` names."""
    array, _, task = argument.partition("_")
    jobs = [job for job in state["jobs"].values() if str(job["arrayjobid"]) == array]
    if not task:
        return [*jobs, *(job for job in state["jobs"].values() if str(job["jobid"]) == array)]
    for job in jobs:
        with suppress(ValueError):
            if job["arraytaskid"] not in {task, "N/A"}:
                return [state["jobs"][str(task_of_its_own(state, job["jobid"], int(task)))]]
    return [job for job in jobs if job["arraytaskid"] == task]


def _scancel(state: State, argv: list[str], fault: State) -> str:
    for argument in (one for one in argv if re.fullmatch("[0-9]+(_[0-9]+)?", one)):
        for job in [] if fault.get("lose") else _meant(state, argument):
            if job["state"] in {"PENDING", "REQUEUE_HOLD", *_RUNNING}:
                job.update(state="CANCELLED", reason="None", exit_code=15, endtime=int(time.time()))
    return ""


_COMMANDS = {"squeue": _squeue, "scontrol": _scontrol, "sbatch": _sbatch, "scancel": _scancel}


def _spoil(output: str, fault: State) -> str:
    if fault.get("truncate"):
        return output[: len(output) * 2 // 3].rstrip("\n")
    if fault.get("garble"):
        return "".join(chr(33 + (ord(letter) * 7 + 13) % 90) for letter in output)
    return output


def main(directory: Path, name: str, argv: list[str]) -> int:
    """Answer one call of one command."""
    with opened(directory) as state:
        state["calls"].append([name, *argv])
        fault = _fault(state, name)
    time.sleep(_HANG_SECONDS if fault.get("hang") else fault.get("delay", 0))
    if fault.get("fail"):
        sys.stderr.write(f"{fault['fail']}\n")
        return 1
    with opened(directory) as state:
        try:
            output = _COMMANDS[name](state, argv, fault)
        except SystemExit as refusal:
            sys.stderr.write(f"{refusal}\n")
            return 1
    sys.stdout.write(_spoil(output, fault))
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:]))
