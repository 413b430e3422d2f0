"""What Slurm says of itself, read once for all checks. The parsers are pure; `read` runs the commands."""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from skiva_hub.site import Site
from skiva_slurm.errors import SlurmUnanswered
from skiva_slurm.jobs import Node
from skiva_slurm.parse import NODE_QUERY, parse_nodes
from skiva_slurm.rights import ASSOCIATION_COLUMNS, Association, parse_associations
from skiva_slurm.runner import run
from skiva_slurm.settings import (
    CONFIG_QUERY,
    PARTITION_QUERY,
    enforced,
    flags,
    parse_config,
    parse_records,
    parse_rows,
)

_OPERATORS = frozenset({"operator", "administrator"})


@dataclass(frozen=True, slots=True)
class User:
    """Somebody in Slurm's accounting."""

    operator: bool
    default_account: str


@dataclass(frozen=True, slots=True)
class Facts:
    """One Slurm, as its own commands describe it."""

    config: Mapping[str, str] = field(default_factory=dict)
    """`scontrol show config` with cgroup.conf's part; keys in small letters, nothing is an empty text."""
    partitions: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    nodes: Mapping[str, Node] = field(default_factory=dict)
    licenses: Mapping[str, int] = field(default_factory=dict)
    """How many of each licence there are."""
    reservations: frozenset[str] = frozenset()
    accounts: frozenset[str] | None = None
    """None where sacctmgr does not answer."""
    qos: Mapping[str, int | None] | None = None
    """Jobs that one person may have waiting or running in each; None where sacctmgr does not answer."""
    users: Mapping[str, User] | None = None
    """Of the hub's account, the one that extends sessions, the person that probes, and the caller."""
    associations: tuple[Association, ...] | None = None
    """Of the person that probes; None where they cannot be seen."""
    caller: str = ""
    """The account that asked."""

    @property
    def accounting(self) -> bool:
        """Whether Slurm keeps accounts at all."""
        return "slurmdbd" in self.said("AccountingStorageType")

    @property
    def enforced(self) -> frozenset[str]:
        """What Slurm checks before it takes a job: associations, limits, qos."""
        return enforced(self.config)

    @property
    def epilogs(self) -> tuple[str, ...]:
        """The programs that Slurm runs on a node at the end of a job, as paths or patterns."""
        named = (v for name, v in self.config.items() if re.fullmatch(r"epilog(\[\d+\])?", name))
        return tuple(path for path in named if path)

    def is_operator(self, name: str) -> bool | None:
        """Whether an account may see and change other people's jobs; None where that cannot be seen."""
        if name in {"root", self._slurm_user}:
            return True
        if self.users is not None and name in self.users:
            return self.users[name].operator
        return None if self.accounting and not self.would_see(name) else False

    def would_see(self, name: str) -> bool:
        """Whether the caller is shown an account of Slurm's accounting; others may be kept from them."""
        if self.users is None:
            return False
        mine = self.users.get(self.caller)
        return self.caller in {name, "root", self._slurm_user} or (mine is not None and mine.operator)

    @property
    def _slurm_user(self) -> str:
        return self.config.get("slurmuser", "").partition("(")[0]

    def flags(self, name: str) -> frozenset[str]:
        """A comma-separated setting's parts in small letters."""
        return flags(self.config, name)

    def said(self, name: str) -> str:
        """A setting in small letters; empty where there is none."""
        return self.config.get(name.lower(), "").lower()


def parse_names(text: str) -> frozenset[str]:
    """One name a line, as `sacctmgr -nP` prints them."""
    return frozenset(line.strip() for line in text.splitlines() if line.strip())


def _number(text: str) -> int | None:
    return int(text) if text.isdecimal() and len(text) < 12 else None


def parse_qos(text: str) -> dict[str, int | None]:
    """`format=name,maxsubmitjobsperuser`."""
    return {name: _number(most) for name, most in parse_rows(text, 2)}


def parse_users(text: str) -> dict[str, User]:
    """`format=user,adminlevel,defaultaccount`."""
    return {name: User(level.lower() in _OPERATORS, account) for name, level, account in parse_rows(text, 3)}


def environment(site: Site) -> dict[str, str]:
    """The variables that Slurm's commands get."""
    env = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"}
    return env | ({"SLURM_CONF": str(site.cluster.conf)} if site.cluster.conf else {})


async def read(site: Site, *, caller: str = "", account: str = "", person: str | None = None) -> Facts:
    """Ask Slurm for everything that the checks compare with.

    Args:
        caller: the account that asks.
        account: the hub's.
        person: the one who probes.

    Raises:
        SlurmUnanswered: it does not answer.
    """
    config = parse_config(await _ask(site, "scontrol", *CONFIG_QUERY))
    nodes = await _ask(site, "scontrol", *NODE_QUERY)
    partitions = await _ask(site, "scontrol", *PARTITION_QUERY)
    reservations = await _ask(site, "scontrol", "-o", "show", "reservation")
    return Facts(
        config=config,
        nodes=parse_nodes(nodes),
        partitions=parse_records(partitions, "PartitionName"),
        licenses=parse_licenses(await _ask(site, "scontrol", "-o", "show", "licenses")),
        reservations=frozenset(parse_records(reservations, "ReservationName")),
        caller=caller,
        **await _accounting(site, config, {caller, account, site.hours.extend_as, person}, person),
    )


async def _accounting(
    site: Site, config: Mapping[str, str], names: Collection[str | None], person: str | None
) -> dict[str, Any]:
    """What Slurm's database says; of what it does not answer nothing is known."""
    if "slurmdbd" not in config.get("accountingstoragetype", ""):
        return {}
    listed = ",".join(sorted(name for name in names if name))
    cluster = f"cluster={config.get('clustername', '')}"
    asked: dict[str, tuple[Callable[[str], Any], Sequence[str]]] = {
        "accounts": (parse_names, ["account", "format=account"]),
        "qos": (parse_qos, ["qos", "format=name,maxsubmitjobsperuser"]),
    }
    if listed:
        asked["users"] = (
            parse_users,
            ["user", "where", f"name={listed}", "format=user,adminlevel,defaultaccount"],
        )
    if person:
        columns = f"format={','.join(ASSOCIATION_COLUMNS)}"
        asked["associations"] = parse_associations, ["assoc", "where", f"user={person}", cluster, columns]
    found: dict[str, Any] = {}
    for name, (parse, question) in asked.items():
        with suppress(SlurmUnanswered):
            found[name] = parse(await _ask(site, "sacctmgr", "-n", "-P", "show", *question))
    return found


def parse_licenses(text: str) -> dict[str, int]:
    """How many of each licence there are, as `scontrol -o show licenses` prints them."""
    records = parse_records(text, "LicenseName")
    return {name: _number(record.get("Total", "")) or 0 for name, record in records.items()}


async def _ask(site: Site, command: str, *arguments: str) -> str:
    argv = [str(site.cluster.bin / command), *arguments]
    done = await run(argv, env=environment(site), timeout=site.cluster.command_timeout)
    if done.returncode:
        words = " ".join(done.stderr.split())[:300] or f"{command} ended with status {done.returncode}"
        raise SlurmUnanswered(words)
    return done.stdout
