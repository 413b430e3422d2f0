"""How many slices of a kind could start right now, from one snapshot. Pure."""

import re
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from skiva_slurm.gres import Gres, parse_gres
from skiva_slurm.jobs import Job, Node, Snapshot
from skiva_slurm.states import Life, node_usable
from skiva_slurm.wishes import Place

__all__ = ["Availability", "availability"]

_SHARES = frozenset({"shard", "mps"})
_HOLDS = frozenset({Life.RUNNING, Life.PAUSED, Life.ENDING})
_MIG = re.compile(r"[0-9]g\.[0-9]+gb")


@dataclass(frozen=True, slots=True)
class Availability:
    """Slices of one kind in one place. `total` is the sum of the other four."""

    free: int
    """Could start right now, if nobody with a better right waits for them."""
    in_use: int
    """Held by jobs, or out of reach because their node has no core or memory left."""
    drained: int
    """On nodes that take no jobs at the moment."""
    total: int
    next_free: float | None
    """When the first job that holds such a device must end at the latest, in seconds since the epoch."""
    kept: int = 0
    """Free, on nodes of which a reservation that is not this slice's keeps a part or all."""


def availability(
    gres: str | None,
    place: Place,
    cores: int,
    memory_mb: int,
    snapshot: Snapshot,
    *,
    reserved: bool = False,
    only: Collection[str] = (),
) -> Availability:
    """Count, node by node, what a job with `gres` (or none), `cores` and `memory_mb` MiB finds.

    A slice counts only with its cores and memory on the same node. A GPU of which a shard is out does not
    count as free, nor do the shards of a GPU that is out whole. What is free on a reserved node is `kept`, as
    nobody can say how much of it the reservation leaves; say `reserved` for a slice that has a reservation,
    and `only` its nodes where they are known.
    """
    wanted = parse_gres(gres or "")
    shares = {want: _shares_held(want, snapshot.jobs.values()) for want in wanted if want.name in _SHARES}
    free = kept = usable = drained = 0
    names = set()
    for node in place.among(snapshot.nodes.values()):
        if only and node.name not in only:
            continue
        names.add(node.name)
        there = [_count(node.gres, want.name, want.type) for want in wanted]
        room = _fit(wanted, there, node.cores // max(1, cores), node.memory_mb // max(1, memory_mb))
        if not node_usable(node.states, reserved=reserved):
            drained += room
            continue
        usable += room
        left = [
            _shares_left(want, node, shares[want][node.name]) if want in shares else _devices_left(want, node)
            for want in wanted
        ]
        by_cores = (node.cores - node.cores_used) // max(1, cores)
        by_memory = (node.memory_mb - node.memory_used_mb) // max(1, memory_mb)
        found = min(room, _fit(wanted, left, by_cores, by_memory))
        if "RESERVED" in node.states and not reserved:
            kept += found
        else:
            free += found
    return Availability(
        free=free,
        in_use=usable - free - kept,
        drained=drained,
        total=usable + drained,
        # What comes beside the device others need not hold, and their end frees the device all the same.
        next_free=_next_end(wanted[:1], names, snapshot.jobs.values()),
        kept=kept,
    )


def _fit(wanted: tuple[Gres, ...], there: list[int], by_cores: int, by_memory: int) -> int:
    by_gres = [have // want.count for want, have in zip(wanted, there, strict=True)]
    return max(0, min([*by_gres, by_cores, by_memory]))


def _devices_left(want: Gres, node: Node) -> int:
    """Devices of the wanted type that are free, where types and totals both allow it."""
    everything = _count(node.gres, want.name) - _count(node.gres_used, want.name)
    everything -= _count(node.gres_sharded, want.name)
    if not want.type:
        return everything
    of_type = _count(node.gres, want.name, want.type) - _count(node.gres_used, want.name, want.type)
    # A MIG instance is never cut into shards, so devices of no stated type are whole GPUs.
    of_type -= _count(node.gres_sharded, want.name, want.type, or_untyped=not _MIG.search(want.type))
    return min(of_type, everything)


def _shares_held(want: Gres, jobs: Iterable[Job]) -> Counter[str]:
    """By node, the shares that jobs hold; 22.05 itself counts only the devices that they are on."""
    held: Counter[str] = Counter()
    for job in jobs:
        if job.life in _HOLDS and (count := _count(job.gres, want.name, want.type, or_untyped=True)):
            held.update(dict.fromkeys(job.nodes, count))
    return held


def _shares_left(want: Gres, node: Node, held: int) -> int:
    """Shares that are free: not those that jobs hold, nor those of GPUs that are out whole."""
    left = _count(node.gres, want.name, want.type)
    left -= max(held, _count(node.gres_used, want.name, want.type, or_untyped=True))
    for shares in node.gres:
        if shares.name == want.name and want.type in ("", shares.type):
            gpus, out = _whole_gpus(node.gres, shares.type), _whole_gpus(node.gres_used, shares.type)
            left -= out * shares.count // gpus if gpus else 0
    return left


def _whole_gpus(gres: tuple[Gres, ...], kind: str) -> int:
    return sum(g.count for g in gres if g.name == "gpu" and kind in ("", g.type) and not _MIG.search(g.type))


def _count(gres: tuple[Gres, ...], name: str, kind: str = "", *, or_untyped: bool = False) -> int:
    """How many of `name`, of one type or (without type) of all."""
    return sum(
        g.count
        for g in gres
        if g.name == name and (not kind or g.type == kind or (or_untyped and not g.type))
    )


def _next_end(wanted: tuple[Gres, ...], names: set[str], jobs: Iterable[Job]) -> float | None:
    ends = (
        job.end
        for job in jobs
        if job.end is not None
        and job.life in _HOLDS
        and not names.isdisjoint(job.nodes)
        and all(_count(job.gres, want.name, want.type, or_untyped=True) for want in wanted)
    )
    return min(ends, default=None)
