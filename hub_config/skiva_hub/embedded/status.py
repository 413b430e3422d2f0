"""What `skiva status` tells: the parts of a running cluster, its nodes and the slices that are free."""

import asyncio
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from skiva_hub.embedded.proc import Process
from skiva_hub.embedded.state import Running
from skiva_hub.site import Site, Slice
from skiva_hub.site_file import SiteError, load
from skiva_slurm.errors import SlurmUnanswered
from skiva_slurm.jobs import Snapshot
from skiva_slurm.reader import SlurmReader
from skiva_slurm.slices import availability


def report(directory: Path, running: Running) -> dict[str, Any]:
    """Everything, as plain values; `trouble` is a sentence where Slurm does not answer."""
    told: dict[str, Any] = {
        "running": True,
        "ready": running.ready,
        "url": running.url,
        "address": running.url,
        "accounts": list(running.accounts),
        "directory": str(directory),
        "simulated": False,
        "processes": {name: _part(part) for name, part in running.parts.items()},
        "nodes": {},
        "slices": {},
        "trouble": "",
    }
    try:
        site = load(directory / "site.toml")
        snapshot = asyncio.run(_read(site))
    except (SiteError, SlurmUnanswered, OSError) as problem:
        return told | {"trouble": str(problem)}
    return told | {
        "simulated": any(s.simulated for s in site.slice),
        "nodes": {name: "+".join(sorted(node.states)) for name, node in snapshot.nodes.items()},
        "slices": {s.id: _free(s, snapshot) for s in site.slice},
    }


def text(told: Mapping[str, Any]) -> str:
    """The same for people."""
    lines = [f"Skiva {'runs' if told['ready'] else 'is starting'}: {told['url']}"]
    for name, part in told["processes"].items():
        restarts = f", started again {part['restarts']} times" if part["restarts"] else ""
        lines.append(f"  {name:<10} {'runs' if part['alive'] else 'ended'} (process {part['pid']}{restarts})")
    lines.append(f"  accounts   {', '.join(told['accounts'])}")
    lines += [f"  {name:<18} {states.lower()}" for name, states in told["nodes"].items()]
    for name, count in told["slices"].items():
        kind = " (simulated)" if told["simulated"] and name != "cpu" else ""
        lines.append(f"  {name:<10} {count['free']} of {count['total']} free{kind}")
    return "\n".join([*lines, *([f"  {told['trouble']}"] if told["trouble"] else [])])


def _part(part: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "pid": part["pid"],
        "alive": Process.recorded(part).alive(),
        "restarts": part["restarts"],
        "seconds": round(time.time() - part["since"], 1),
    }


def _free(found: Slice, snapshot: Snapshot) -> dict[str, int]:
    count = availability(found.every_gres, found.place, found.cores, found.memory_mb, snapshot)
    return {"free": count.free, "in_use": count.in_use, "drained": count.drained, "total": count.total}


async def _read(site: Site) -> Snapshot:
    cluster = site.cluster
    env = {"PATH": "/usr/bin:/bin", "SLURM_CONF": str(cluster.conf)}
    reader = SlurmReader(cluster.bin, env, cluster.command_timeout)
    return Snapshot.of(time.time(), await reader.jobs(), await reader.nodes())
