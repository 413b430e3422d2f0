"""What Slurm says of itself, read once for all checks. The parsers are pure; `read` runs the commands."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from skiva_hub.site import Site
from skiva_slurm.errors import SlurmUnanswered
from skiva_slurm.jobs import Node
from skiva_slurm.parse import NODE_QUERY, parse_nodes
from skiva_slurm.runner import run

_NOTHING = frozenset({"(null)", "(none)", "NONE", "N/A", "n/a", "none", ""})


@dataclass(frozen=True, slots=True)
class Facts:
    """One Slurm, as its own commands describe it."""

    config: Mapping[str, str] = field(default_factory=dict)
    """`scontrol show config` with cgroup.conf's part; keys in small letters, nothing is an empty text."""
    partitions: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    nodes: Mapping[str, Node] = field(default_factory=dict)
    features: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Each node's features."""
    reservations: frozenset[str] = frozenset()
    accounts: frozenset[str] | None = None
    """None where sacctmgr does not answer."""
    qos: frozenset[str] | None = None

    def flags(self, name: str) -> tuple[str, ...]:
        """A comma-separated setting's parts in small letters."""
        return tuple(
            part.strip() for part in self.config.get(name.lower(), "").lower().split(",") if part.strip()
        )

    def said(self, name: str) -> str:
        """A setting in small letters; empty where there is none."""
        return self.config.get(name.lower(), "").lower()


def parse_config(text: str) -> dict[str, str]:
    """`scontrol show config`: names in small letters to values, cgroup.conf's part included."""
    found: dict[str, str] = {}
    for line in text[: 1 << 20].splitlines():
        name, separator, value = line.partition("=")
        if separator and re.fullmatch(r"[A-Za-z][A-Za-z0-9_\[\]]*\s*", name):
            found[name.strip().lower()] = "" if value.strip() in _NOTHING else value.strip()
    return found


def parse_records(text: str, key: str) -> dict[str, dict[str, str]]:
    """One-line records of `scontrol -o show …` by their first field, `key`."""
    found: dict[str, dict[str, str]] = {}
    for line in text[: 16 << 20].splitlines():
        if line.startswith(f"{key}="):
            pairs = dict(re.findall(r"(?:^| )([A-Za-z][A-Za-z0-9:/_]*)=(\S*)", line))
            found[pairs[key]] = {name: "" if value in _NOTHING else value for name, value in pairs.items()}
    return found


def parse_names(text: str) -> frozenset[str]:
    """One name a line, as `sacctmgr -nP` prints them."""
    return frozenset(line.strip() for line in text.splitlines() if line.strip())


def environment(site: Site) -> dict[str, str]:
    """The variables that Slurm's commands get."""
    env = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"}
    return env | ({"SLURM_CONF": str(site.cluster.conf)} if site.cluster.conf else {})


async def read(site: Site) -> Facts:
    """Ask Slurm for everything that the checks compare with.

    Raises:
        SlurmUnanswered: it does not answer.
    """
    config = parse_config(await _ask(site, "scontrol", "show", "config"))
    nodes = await _ask(site, "scontrol", *NODE_QUERY)
    partitions = await _ask(site, "scontrol", "-a", "-o", "show", "partition")
    reservations = await _ask(site, "scontrol", "-o", "show", "reservation")
    return Facts(
        config=config,
        nodes=parse_nodes(nodes),
        partitions=parse_records(partitions, "PartitionName"),
        features=_features(nodes),
        reservations=frozenset(parse_records(reservations, "ReservationName")),
        accounts=await _names(site, config, ["show", "account", "format=account"]),
        qos=await _names(site, config, ["show", "qos", "format=name"]),
    )


def _features(nodes: str) -> dict[str, frozenset[str]]:
    records = parse_records(nodes, "NodeName")
    return {name: frozenset(r.get("AvailableFeatures", "").split(",")) - {""} for name, r in records.items()}


async def _names(site: Site, config: Mapping[str, str], question: Sequence[str]) -> frozenset[str] | None:
    if "slurmdbd" not in config.get("accountingstoragetype", ""):
        return None
    try:
        return parse_names(await _ask(site, "sacctmgr", "-n", "-P", *question))
    except SlurmUnanswered:
        return None


async def _ask(site: Site, command: str, *arguments: str) -> str:
    argv = [str(site.cluster.bin / command), *arguments]
    done = await run(argv, env=environment(site), timeout=site.cluster.command_timeout)
    if done.returncode:
        words = " ".join(done.stderr.split())[:300] or f"{command} ended with status {done.returncode}"
        raise SlurmUnanswered(words)
    return done.stdout
