"""What a probe job's answers mean. Pure."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from skiva_hub.doctor.finding import Finding, Group, Level, error, listed, ok, warning
from skiva_hub.doctor.machine import hub_answer
from skiva_hub.site import Site, Slice
from skiva_slurm.reasons import explain

_G = Group.PROBES
_SKEW_WARNING = 10.0
_SKEW_ERROR = 300.0
"""Seconds that munge lets clocks differ."""


@dataclass(slots=True)
class Seen:
    """What was seen of one probe job."""

    submitted: float = 0.0
    """When it was submitted, by this machine's clock."""
    noticed: float = 0.0
    """When its first line was seen here, by this machine's clock."""
    ran: bool = False
    over: bool = False
    reason: str = ""
    """Why it waits, in Slurm's word."""
    node: str = ""
    address: str = ""
    last_line: str = ""
    """The last line that was not the probe's own."""
    answers: dict[str, Any] = field(default_factory=dict)
    environments: dict[str, dict[str, Any]] = field(default_factory=dict)
    call: str | None = None
    """Why the job's port could not be reached from here; empty where it could."""


def verdict(site: Site, probed: Sequence[tuple[Slice, Seen]]) -> Iterator[Finding]:
    """What was found on all slices; what all have in common is said once."""
    for picked, seen in probed:
        yield from of_slice(site, picked, seen)
    spoke = [seen for _, seen in probed if "begun" in seen.answers]
    yield from environments(site, spoke)
    yield from slurm_from_within(site, spoke)
    yield from sameness(site, spoke)
    yield from hub_from_nodes(site, spoke)
    yield from hideouts(site, spoke)


def of_slice(site: Site, picked: Slice, seen: Seen) -> Iterator[Finding]:
    """What was found on one slice; one good sentence where nothing is wrong."""
    if "begun" not in seen.answers:
        yield silence(picked, seen)
        return
    found = [*proof(site, picked, seen), *way_in(site, picked, seen), *clock(picked, seen)]
    wrong = [finding for finding in found if finding.level is not Level.OK]
    yield from wrong
    if not wrong:
        begun = max(0.0, float(seen.answers["begun"]) - seen.submitted)
        words = " ".join(finding.sentence for finding in found)
        yield ok(_G, f"Slice {picked.id} on {_node(seen)}: began {begun:.1f} s after sbatch. {words}")


def silence(picked: Slice, seen: Seen) -> Finding:
    """A job that said nothing: it waits, it could not run, or its log does not come back."""
    if not seen.ran:
        words = explain(seen.reason)
        sentence = f"Slice {picked.id} was not proved: its job had to wait. {words.sentence}"
        if words.hopeless:
            cure = "Such a job can never start: correct the slice, or what Slurm allows."
            return error(_G, sentence, f"{cure} (Slurm: {seen.reason})")
        return warning(_G, sentence, "Run the doctor again when it is free, or with a longer --wait.")
    if seen.last_line:
        cure = "See that the environment's Python is on the node under the same path, for everybody."
        return error(_G, f"Slice {picked.id}: the job on {_node(seen)} said: {seen.last_line}", cure)
    cure = "Homes must be the same on this machine and the nodes; see the node's slurmd log."
    sentence = f"Slice {picked.id}: the job ran on {_node(seen)}, and nothing that it wrote can be read here."
    return error(_G, sentence, cure)


def proof(site: Site, picked: Slice, seen: Seen) -> Iterator[Finding]:
    """Whether the job could open its own devices and no others, and its memory is limited."""
    ran = seen.answers.get("proof")
    if not isinstance(ran, dict):
        cure = "Look at the node's slurmd log; the job was ended before it had answered."
        yield error(_G, f"Slice {picked.id}: the job on {_node(seen)} ended without its proof.", cure)
        return
    try:
        said = dict(json.loads(ran["out"]))
        sentence, exclusive, limit = str(said["sentence"]), bool(said["exclusive"]), said["memory_limit"]
    except (ValueError, KeyError, TypeError):
        cure = f"Install skiva[notebook] into environment {site.environment[0].id}."
        words = str(ran.get("error", "")).strip().rpartition("\n")[2] or f"status {ran.get('status')}"
        yield error(_G, f"Slice {picked.id}: the proof does not run on {_node(seen)}: {words}", cure)
        return
    if picked.isolation == "exclusive" and site.cluster.fenced and not exclusive:
        cure = "See ConstrainDevices in cgroup.conf, File= in gres.conf, and devices in [cluster]."
        yield error(_G, f"Slice {picked.id} on {_node(seen)}: {sentence}", cure)
    else:
        yield ok(_G, sentence)
    yield from _memory(site, picked, limit)


def _memory(site: Site, picked: Slice, limit: object) -> Iterator[Finding]:
    if not site.cluster.fenced:
        return
    if not isinstance(limit, int):
        cure = "Set ConstrainRAMSpace=yes in cgroup.conf on every node."
        yield warning(_G, f"Slice {picked.id}: nothing limits the memory of a session.", cure)
    elif limit > picked.memory_mb * 1024 * 1024 * 1.1:
        cure = "See AllowedRAMSpace in cgroup.conf, and DefMemPerNode in slurm.conf."
        sentence = f"Slice {picked.id} has {picked.memory_mb} MB, the node allows {limit // 1024**2} MB."
        yield warning(_G, sentence, cure)
    else:
        yield ok(_G, f"Memory ends at {limit // 1024**2} MB.")


def environments(site: Site, spoke: Iterable[Seen]) -> Iterator[Finding]:
    """Whether each environment's Python runs on the nodes and has what a session needs."""
    for environment in site.environment:
        failed: dict[str, list[str]] = {}
        for seen in spoke:
            said = seen.environments.get(environment.id, {})
            if said.get("status", 0):
                words = str(said.get("error", "")).strip().rpartition("\n")[2] or f"status {said['status']}"
                failed.setdefault(words, []).append(_node(seen))
        for words, nodes in failed.items():
            place = environment.image or environment.python
            cure = (
                f"See that {place} is whole and has skiva[notebook], and its launcher works, on every node."
            )
            sentence = f"Environment {environment.id} does not work on {listed(nodes)}: {words}."
            yield error(_G, sentence, cure)


def slurm_from_within(site: Site, spoke: Iterable[Seen]) -> Iterator[Finding]:
    """Whether people reach Slurm from each environment, as they must to hand runs to it."""
    seen_all = list(spoke)
    for environment in site.environment:
        failed: dict[str, list[str]] = {}
        for seen in seen_all:
            said = seen.environments.get(environment.id, {"status": 1})
            _, mark, words = str(said.get("error", "")).rpartition("NO SLURM ")
            if mark and not said.get("status", 0):
                failed.setdefault(words.rstrip("."), []).append(_node(seen))
        for words, nodes in failed.items():
            sentence = (
                f"From within environment {environment.id} on {listed(nodes)} Slurm is out of reach: {words}."
            )
            place = "client in [cluster]" if environment.image else "bin and conf in [cluster]"
            cure = f"Nobody can hand runs to the queue from there. See {place}, and munge on these nodes."
            yield warning(_G, sentence, cure)


def sameness(site: Site, spoke: Iterable[Seen]) -> Iterator[Finding]:
    """Whether each environment is the same on all nodes that were seen."""
    seen_all = list(spoke)
    for environment in site.environment:
        found: dict[str, list[str]] = {}
        for seen in seen_all:
            said = seen.environments.get(environment.id, {"status": 1})
            if not said.get("status", 0):
                found.setdefault(str(said.get("out", "")).strip()[:80], []).append(_node(seen))
        if len(found) > 1:
            words = "; ".join(f"{listed(nodes)}: {digest or 'no record'}" for digest, nodes in found.items())
            cure = "Put the same build on every node, or where all nodes see it."
            yield warning(_G, f"Environment {environment.id} differs between nodes: {words}.", cure)


def hub_from_nodes(site: Site, spoke: Iterable[Seen]) -> Iterator[Finding]:
    """Whether nodes reach the hub."""
    answers: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for seen in spoke:
        said = seen.answers.get("hub")
        if isinstance(said, dict):
            answers.setdefault(tuple(sorted(said.items())), []).append(_node(seen))
    for said, nodes in answers.items():
        yield hub_answer(_G, listed(nodes), site.hub.api_url, dict(said))


def hideouts(site: Site, spoke: Iterable[Seen]) -> Iterator[Finding]:
    """Whether a job can leave processes where its end does not find them, with the devices that they hold."""
    exclusive = [picked.id for picked in site.slice if picked.devices_wanted is not None]
    nested = [seen for seen in spoke if seen.answers.get("nests")]
    if not site.cluster.fenced or not exclusive or not nested:
        return
    swept = [_node(seen) for seen in nested if seen.answers.get("swept")]
    kept = [_node(seen) for seen in nested if not seen.answers.get("swept")]
    if swept:
        yield ok(
            _G,
            f"An epilog ends what jobs leave in cgroups of their own on {listed(dict.fromkeys(swept))}.",
        )
    if kept:
        yield error(
            _G,
            f"Jobs can make cgroups of their own on {listed(dict.fromkeys(kept))}, whose processes "
            f"outlive them: {listed(exclusive)} cannot be kept from who was here before.",
            "Install share/skiva/skiva-epilog on the nodes and set Epilog to it in slurm.conf; where a "
            "script of your own is the epilog, let it run skiva-epilog and everybody read it.",
        )


def way_in(site: Site, picked: Slice, seen: Seen) -> Iterator[Finding]:
    """Whether this machine reaches a server on the node."""
    low, high = site.hub.ports
    if "no_port" in seen.answers:
        cure = "Correct ports and bind in [hub]: servers on the nodes listen there."
        words = f"{_node(seen)}: {seen.answers['no_port']}."
        yield error(_G, f"Slice {picked.id}: no server could listen on {words}", cure)
    elif seen.call:
        cure = f"Open TCP ports {low} to {high} on the nodes for this machine; see bind in [hub]."
        place = f"{seen.address}:{seen.answers.get('port')}"
        yield error(_G, f"Slice {picked.id}: this machine cannot connect to {place}: {seen.call}.", cure)
    elif seen.call == "":
        yield ok(_G, f"This machine reaches it at {seen.address}.")


def clock(picked: Slice, seen: Seen) -> Iterator[Finding]:
    """Whether the node's clock goes as this machine's does."""
    begun = float(seen.answers["begun"])
    skew = max(seen.submitted - begun, begun - seen.noticed, 0.0)
    if skew < _SKEW_WARNING:
        return
    sentence = f"The clock of {_node(seen)} differs from this machine's by {skew:.0f} s"
    cure = "Set both by NTP (chrony, timesyncd): munge refuses what is more than 5 minutes off."
    if skew >= _SKEW_ERROR:
        yield error(_G, f"{sentence}.", cure)
    else:
        yield warning(_G, f"{sentence} (seen on slice {picked.id}).", cure)


def _node(seen: Seen) -> str:
    return str(seen.answers.get("node") or seen.node or seen.answers.get("host") or "its node")
