"""What Slurm's limits leave one person: what they may hold at once, and the budget that remains. Pure.

`scontrol show assoc_mgr` shows each limit with what is used of it, `600(12)`, and `N` where there is none.
What Slurm keeps from the person who asks (PrivateData) is no limit here: Slurm applies it all the same.
"""

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from skiva_slurm.gres import parse_gres

__all__ = ["Limit", "Limits", "demand", "parse_limits", "price"]

_MOST = 4 << 20
_TRES = re.compile(
    r"([a-z]+(?:/[A-Za-z0-9_.-]+(?::[A-Za-z0-9_.+-]+)?)?)=([0-9]{1,15})\(([0-9]{1,15})(?:\.[0-9]*)?\)"
)
_PAIR = re.compile(r"(?:^| )([A-Za-z]+)=(\S*)")
_USER = re.compile(r"(?:^| )([0-9]{1,10})=\{([^}]{0,65536})\}")
_WEIGHT = re.compile(r"([A-Za-z]+(?:/[A-Za-z0-9_.:+-]+)?)=([0-9]{1,9}(?:\.[0-9]{1,9})?)([KMGTP]?)")
_MEGABYTES = {"K": 1 / 1024, "": 1.0, "M": 1.0, "G": 1024.0, "T": 1024.0**2, "P": 1024.0**3}


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit of an association or a QOS, and what is used of it."""

    whose: str
    """The account or the QOS that has it."""
    tres: str
    """What it counts, in Slurm's words: `cpu`, `mem` (MiB), `gres/gpu`, `billing`."""
    most: float
    used: float
    minutes: bool = False
    """Whether it is a budget, counted in minutes, instead of what may be held at once."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits that hold for one person, by account and by QOS."""

    accounts: Mapping[str, tuple[Limit, ...]] = field(default_factory=dict)
    qos: Mapping[str, tuple[Limit, ...]] = field(default_factory=dict)

    def full(self, account: str, qos: Iterable[str], wanted: Mapping[str, float]) -> Limit | None:
        """The limit that a job which wants so much would have to wait for."""
        held = (one for one in self._applying(account, qos) if not one.minutes)
        return next((one for one in held if one.used + wanted.get(one.tres, 0) > one.most), None)

    def budget(
        self, account: str, qos: Iterable[str], wanted: Mapping[str, float]
    ) -> tuple[float, Limit] | None:
        """For how many hours the tightest budget pays a job that wants so much, and that budget."""
        found = [
            (max(0.0, one.most - one.used) / 60 / wanted[one.tres], one)
            for one in self._applying(account, qos)
            if one.minutes and wanted.get(one.tres, 0) > 0
        ]
        return min(found, key=lambda each: each[0], default=None)

    def _applying(self, account: str, qos: Iterable[str]) -> Iterator[Limit]:
        yield from self.accounts.get(account, ())
        for name in qos:
            yield from self.qos.get(name, ())


def parse_limits(text: str, cluster: str, uid: int) -> Limits:
    """The limits in `scontrol -o show assoc_mgr flags=assoc,qos`, as they hold for the user with this id."""
    accounts: dict[str, list[Limit]] = {}
    qos: dict[str, list[Limit]] = {}
    for line in text[:_MOST].splitlines():
        if line.startswith("ClusterName="):
            pairs = dict(_PAIR.findall(line))
            owner = pairs.get("UserName", "")
            if pairs["ClusterName"] == cluster and (not owner or owner.endswith(f"({uid})")):
                account = pairs.get("Account", "")
                accounts.setdefault(account, []).extend(_grouped(account, pairs))
        elif line.startswith("QOS="):
            head, _, users = line.partition(" User Limits=")
            pairs = dict(_PAIR.findall(head.partition(" Account Limits=")[0]))
            name = pairs["QOS"].partition("(")[0]
            own = dict(_USER.findall(users)).get(str(uid), "")
            mine = dict(_PAIR.findall(own)).get("MaxTRESPU", "")
            qos.setdefault(name, []).extend([*_grouped(name, pairs), *_limits(name, mine)])
    return Limits(_frozen(accounts), _frozen(qos))


def demand(cores: int, memory_mb: int, gres: str | None) -> dict[str, float]:
    """What a job on one node asks for, by the names of what Slurm counts (TRES)."""
    wanted: dict[str, float] = {"cpu": cores, "mem": memory_mb, "node": 1}
    for one in parse_gres(gres or ""):
        wanted[f"gres/{one.name}"] = wanted.get(f"gres/{one.name}", 0) + one.count
        if one.type:
            wanted[f"gres/{one.name}:{one.type}"] = one.count
    return wanted


def price(weights: str, wanted: Mapping[str, float], *, most: bool = False) -> float | None:
    """What an hour of a job is charged, in hours of `billing`; None without weights.

    As slurm.conf(5) describes TRESBillingWeights: the sum of each amount times its weight or, with
    PriorityFlags=MAX_TRES (`most`), the largest of them. A weight of memory is for as much of it as its
    suffix says, megabytes where it has none.
    """
    found = _WEIGHT.findall(weights)
    if not found:
        return None
    counted = {name.lower(): amount for name, amount in wanted.items()}
    parts = [
        float(weight) * counted.get(name.lower(), 0) / (_MEGABYTES[unit] if name.lower() == "mem" else 1)
        for name, weight, unit in found
    ]
    return max(parts) if most else math.fsum(parts)


def _grouped(whose: str, pairs: Mapping[str, str]) -> Iterator[Limit]:
    yield from _limits(whose, pairs.get("GrpTRES", ""))
    yield from _limits(whose, pairs.get("GrpTRESMins", ""), minutes=True)


def _limits(whose: str, text: str, *, minutes: bool = False) -> Iterator[Limit]:
    for tres, most, used in _TRES.findall(text):
        yield Limit(whose, tres, float(most), float(used), minutes)


def _frozen(found: Mapping[str, list[Limit]]) -> dict[str, tuple[Limit, ...]]:
    return {name: tuple(limits) for name, limits in found.items() if limits}
