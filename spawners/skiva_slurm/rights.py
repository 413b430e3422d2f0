"""What Slurm lets one person use, from its accounting and its partitions. Pure.

Only what Slurm enforces is a limit, and what it did not tell is none: a page that hides too little is
corrected by sbatch, one that hides too much by nobody.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from skiva_slurm.limits import Limits, parse_limits
from skiva_slurm.settings import enforced, flags, parse_config, parse_records, parse_rows

__all__ = ["ASSOCIATION_COLUMNS", "Association", "Rights", "Rules", "parse_associations", "parse_rights"]

ASSOCIATION_COLUMNS = ("account", "partition", "qos", "defaultqos", "maxsubmitjobs")
"""The columns of `sacctmgr -nP show assoc` that `parse_associations` reads."""

_MOST = 1000


@dataclass(frozen=True, slots=True)
class Association:
    """What somebody may use by one account."""

    account: str
    partition: str
    """Empty where it is for every partition."""
    qos: frozenset[str]
    default_qos: str
    most_submitted: int | None
    """Jobs that may wait and run at a time; None where nothing limits them."""


@dataclass(frozen=True, slots=True)
class Rights:
    """What Slurm told one person of themselves."""

    associations: tuple[Association, ...]
    default_account: str = ""
    groups: frozenset[str] = frozenset()
    """The person's groups on the hub's machine."""
    limits: Limits = field(default_factory=Limits)

    @property
    def accounts(self) -> tuple[str, ...]:
        """The accounts that may be charged for their jobs, their default one first."""
        names = dict.fromkeys(one.account for one in self.associations)
        return tuple(sorted(names, key=lambda name: (name != self.default_account, name)))


@dataclass(frozen=True, slots=True)
class Rules:
    """What this Slurm checks before it takes or starts a job."""

    cluster: str = ""
    """What Slurm calls itself, as several may share one database."""
    enforced: frozenset[str] = frozenset()
    partitions: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    charges_most: bool = False
    """Whether a job is charged for the most expensive part of it, instead of for all (MAX_TRES)."""

    @classmethod
    def of(cls, config: str, partitions: str) -> "Rules":
        """From scontrol's answers to `CONFIG_QUERY` and `PARTITION_QUERY`."""
        settings = parse_config(config)
        return cls(
            cluster=settings.get("clustername", ""),
            enforced=enforced(settings),
            partitions=parse_records(partitions, "PartitionName"),
            charges_most="max_tres" in flags(settings, "PriorityFlags"),
        )

    @property
    def by_association(self) -> bool:
        """Whether Slurm takes jobs only of those whom its accounting knows."""
        return "associations" in self.enforced

    def weights(self, partition: str) -> str:
        """What a partition charges for each thing, in slurm.conf's words; empty where it says nothing."""
        return self.partitions.get(partition, {}).get("TRESBillingWeights", "")

    def qos(self, rights: Rights, partition: str, account: str, named: str | None) -> tuple[str, ...]:
        """The QOS whose limits hold for a job: its own, and its partition's."""
        mine = [a for a in rights.associations if a.account == account and a.partition in {"", partition}]
        usual = next((a.default_qos for a in mine if a.default_qos), "normal")
        return tuple(name for name in (named or usual, self.partitions.get(partition, {}).get("QoS")) if name)

    def accounts(
        self, rights: Rights, partitions: Iterable[str], account: str | None, qos: str | None
    ) -> tuple[str, ...]:
        """The accounts that a job in one of `partitions` can be charged to, the default one first.

        Args:
            account: the one that the job names anyway, if any.
            qos: the QOS that it names, if any.
        """
        named = list(partitions)
        able = {
            one.account
            for one in rights.associations
            if account in (None, one.account)
            and self._has_qos(one, qos)
            and any(self._opens(name, one, qos, rights.groups) for name in named)
        }
        return tuple(name for name in rights.accounts if name in able)

    def _has_qos(self, one: Association, qos: str | None) -> bool:
        return qos is None or "qos" not in self.enforced or qos in one.qos

    def _opens(self, partition: str, one: Association, qos: str | None, groups: frozenset[str]) -> bool:
        if one.partition not in {"", partition}:
            return False
        found = self.partitions.get(partition)
        if found is None:
            return True
        used = qos or one.default_qos
        return (
            _lets(found, "Accounts", one.account)
            and (not used or _lets(found, "Qos", used))
            and (not groups or any(_lets(found, "Groups", group) for group in groups))
        )


def parse_associations(text: str) -> tuple[Association, ...]:
    """The rows of `sacctmgr -nP show assoc` with `ASSOCIATION_COLUMNS`."""
    return tuple(
        Association(account, partition, frozenset(qos.split(",")) - {""}, default, _whole(most))
        for account, partition, qos, default, most in parse_rows(text, len(ASSOCIATION_COLUMNS))
    )


def parse_rights(told: str, assoc_mgr: str, rules: Rules, uid: int, groups: Iterable[str]) -> Rights:
    """What Slurm told the user with this id.

    Args:
        told: `sacctmgr -nP show user NAME withassoc`, with the columns cluster and defaultaccount before
            `ASSOCIATION_COLUMNS`.
        assoc_mgr: `scontrol -o show assoc_mgr` of their accounts.
    """
    rows = parse_rows(told, 2 + len(ASSOCIATION_COLUMNS))[:_MOST]
    # Several clusters may share one database.
    mine = [row[1:] for row in rows if row[0] == rules.cluster]
    return Rights(
        parse_associations("".join("|".join(row[1:]) + "\n" for row in mine)),
        default_account=mine[0][0] if mine else "",
        groups=frozenset(groups),
        limits=parse_limits(assoc_mgr, rules.cluster, uid) if "limits" in rules.enforced else Limits(),
    )


def _lets(partition: Mapping[str, str], what: str, name: str) -> bool:
    """Whether a partition's Allow… and Deny… of accounts, QOS or groups let `name` in."""
    allowed = partition.get(f"Allow{what}", "ALL").lower()
    if allowed not in {"", "all"}:
        return name.lower() in allowed.split(",")
    return name.lower() not in partition.get(f"Deny{what}", "").lower().split(",")


def _whole(text: str) -> int | None:
    return int(text) if text.isdecimal() and len(text) < 12 else None
