"""Does Slurm have what the slices and partitions of the site file ask for? Pure."""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial

from skiva_hub.doctor.facts import Facts
from skiva_hub.doctor.finding import Finding, Group, error, listed, ok, warning
from skiva_hub.site import Site, Slice
from skiva_hub.slurm_values import hours, megabytes, whole
from skiva_slurm.gres import parse_gres
from skiva_slurm.hostlist import expand
from skiva_slurm.jobs import Node
from skiva_slurm.wishes import Place, has_features, licences

_G = Group.SLICES
_UNLIMITED = frozenset({"", "unlimited", "infinite"})


def check(site: Site, facts: Facts) -> Iterator[Finding]:
    """Every check of partitions and slices against nodes."""
    for partition in site.partition:
        found = facts.partitions.get(partition.name)
        if found is None:
            have = listed(sorted(facts.partitions)) or "none"
            yield error(
                _G,
                f"Slurm has no partition {partition.name}.",
                f"Correct its name in [[partition]] and in its slices, or create it; Slurm has {have}.",
            )
        else:
            yield from partition_state(partition.name, found)
    for picked in site.slice:
        known = [name for name in picked.partitions if name in facts.partitions]
        for name in known:
            yield from slice_limits(site, picked, name, facts.partitions[name])
        if known:
            yield from slice_names(picked, facts)
            yield from slice_nodes(picked, facts)


def partition_state(name: str, found: Mapping[str, str]) -> Iterator[Finding]:
    """Whether a partition takes jobs of ordinary people, for a part of a node."""
    state = found.get("State", "UP")
    if state != "UP":
        yield error(
            _G, f"Partition {name} is {state}: no session starts there.", f"scontrol update {name} State=UP"
        )
    if found.get("RootOnly") == "YES":
        yield error(_G, f"Partition {name} is for root alone.", "Set RootOnly=NO for it in slurm.conf.")
    if found.get("OverSubscribe") == "EXCLUSIVE":
        yield warning(
            _G,
            f"Partition {name} gives whole nodes only, however small the slice.",
            "Remove OverSubscribe=EXCLUSIVE from it, or use another partition for slices.",
        )
    if re.fullmatch(r"FORCE(:([2-9]|[1-9][0-9]+))?", found.get("OverSubscribe", "")):
        yield warning(
            _G,
            f"Partition {name} lets jobs share cores (OverSubscribe={found['OverSubscribe']}): sessions "
            "slow each other down, and what pages call free may wait for other partitions of its nodes.",
            "Set OverSubscribe=NO for it in slurm.conf, or use another partition for slices.",
        )
    if found.get("ReqResv") == "YES":
        yield warning(_G, f"Partition {name} asks for a reservation.", "Name one in each of its slices.")


def slice_limits(site: Site, picked: Slice, partition: str, found: Mapping[str, str]) -> Iterator[Finding]:
    """Whether a partition lets through what a slice asks for."""
    longest, limit = site.max_hours(picked), hours(found.get("MaxTime", ""))
    if limit is not None and longest > limit:
        yield error(
            _G,
            f"Slice {picked.id} offers {longest:g} hours, its partition {partition} allows {limit:g}.",
            f"Write max_hours = {limit:g} in the [[partition]], or raise its MaxTime in Slurm.",
        )
    caps: tuple[tuple[str, Callable[[str], int | None], int, str], ...] = (
        ("MaxCPUsPerNode", whole, picked.cores, "cores"),
        ("MaxMemPerNode", megabytes, picked.memory_mb, "MB"),
    )
    for setting, parse, wanted, unit in caps:
        cap = parse(found.get(setting, ""))
        if cap is not None and wanted > cap:
            yield error(
                _G,
                f"Slice {picked.id} has {wanted} {unit}, its partition allows {cap} ({setting}).",
                f"Give the slice no more than {cap} {unit}, or raise {setting}.",
            )
    for setting, name in (("AllowAccounts", picked.account), ("AllowQos", picked.qos)):
        allowed = found.get(setting, "ALL")
        if name and allowed not in {"", "ALL"} and name not in allowed.split(","):
            yield error(
                _G,
                f"Slice {picked.id} names {name}, which partition {partition} does not take.",
                f"Use one of {allowed}, or add {name} to the partition's {setting}.",
            )


def slice_names(picked: Slice, facts: Facts) -> Iterator[Finding]:
    """Whether Slurm has the licences and the nodes that a slice names; else it takes no job on it."""
    for name, count in licences(picked.licenses or "").items():
        have = facts.licenses.get(name)
        if have is None:
            known = listed(sorted(facts.licenses)) or "none"
            cure = f"Correct its name in licenses, or add it to Slurm's Licenses; Slurm has {known}."
            yield error(
                _G, f"Slice {picked.id} asks for the licence {name}, which Slurm does not have.", cure
            )
        elif have < count:
            cure = f"Ask for {have} or fewer in licenses, or raise it in Slurm's Licenses."
            yield error(_G, f"Slice {picked.id} asks for {count} licences {name}; Slurm has {have}.", cure)
    strangers = [name for name in expand(picked.exclude or "") if name not in facts.nodes]
    if strangers:
        cure = "Correct or remove exclude; scontrol show hostnames spells a list out."
        sentence = f"Slice {picked.id} excludes {listed(strangers)}, which Slurm does not have."
        yield error(_G, sentence, cure)


def slice_nodes(picked: Slice, facts: Facts) -> Iterator[Finding]:
    """Whether a node has what a slice asks for, all of it at once, and is up."""
    nodes = list(Place(picked.partition).among(facts.nodes.values()))
    if not nodes:
        yield error(
            _G,
            f"Partition {picked.partition} has no nodes, so {picked.id} can never start.",
            "Give the partition nodes in slurm.conf, or use another one.",
        )
        return
    for what, fits, most in _wishes(picked, facts):
        nodes = [node for node in nodes if fits(node)]
        if not nodes:
            yield error(_G, f"No node of {picked.partition} has {what} for slice {picked.id}.", most)
            return
    usable = [node for node in nodes if node.usable]
    if not usable:
        yield warning(
            _G,
            f"Every node for slice {picked.id} is down or drained: {listed(n.name for n in nodes)}.",
            "See sinfo -R for the reasons; scontrol update NodeName=… State=RESUME brings one back.",
        )
        return
    count = sum(_how_many(picked, node) for node in usable)
    yield ok(_G, f"Slice {picked.id}: {count} at a time on {len(usable)} node{'s' * (len(usable) > 1)}.")


def _wishes(picked: Slice, facts: Facts) -> Iterator[tuple[str, Callable[[Node], bool], str]]:
    """What a node must have, one thing after another, with the cure where none has it."""
    nodes = list(Place(picked.partition).among(facts.nodes.values()))
    if picked.exclude:
        excluded = frozenset(expand(picked.exclude))
        yield "a place outside exclude", lambda node: node.name not in excluded, "Leave nodes out of exclude."
    if picked.constraint:
        wanted = picked.constraint
        known = sorted({feature for node in nodes for feature in node.features})
        cure = (
            f"Use a feature that its nodes have ({listed(known) or 'they have none'}), or remove constraint."
        )
        yield f"the feature {wanted}", lambda node: has_features(node, wanted), cure
    for field, asked in _gres(picked):
        known = sorted({str(g) for node in nodes for g in node.gres})
        cure = (
            f"Correct {field} (its nodes have {listed(known) or 'none'}), or the nodes' Gres in slurm.conf."
        )
        yield f"gres {asked}", partial(_has, asked), cure
    cores, memory = max(n.cores for n in nodes), max(n.memory_mb for n in nodes)
    cure = f"Give the slice fewer; the largest of its nodes has {cores}."
    yield f"{picked.cores} cores", lambda node: node.cores >= picked.cores, cure
    cure = f"Give the slice less; the largest of its nodes has {memory} MB (RealMemory)."
    yield f"{picked.memory_mb} MB of memory", lambda node: node.memory_mb >= picked.memory_mb, cure


def _how_many(picked: Slice, node: Node) -> int:
    """How many sessions a node takes when it is empty."""
    room = [node.cores // picked.cores, node.memory_mb // picked.memory_mb]
    return min([*room, *(_devices(asked, node) for _, asked in _gres(picked))])


def _gres(picked: Slice) -> Iterator[tuple[str, str]]:
    """Each thing that a slice asks of --gres, after the name of its field."""
    if picked.gres:
        yield "gres", picked.gres
    yield from (("extra_gres", asked) for asked in picked.extra_gres)


def _has(asked: str, node: Node) -> bool:
    return _devices(asked, node) > 0


def _devices(asked: str, node: Node) -> int:
    """How often a node has what is asked for; without a type, any type counts."""
    (wanted,) = parse_gres(asked)
    same = (g for g in node.gres if g.name == wanted.name and (not wanted.type or g.type == wanted.type))
    return sum(g.count for g in same) // wanted.count
