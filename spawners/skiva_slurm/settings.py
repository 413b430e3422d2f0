"""From what scontrol and sacctmgr print of Slurm's own settings to names and values. Pure."""

import re
from collections.abc import Mapping

__all__ = [
    "CONFIG_QUERY",
    "PARTITION_QUERY",
    "enforced",
    "flags",
    "parse_config",
    "parse_records",
    "parse_rows",
]

CONFIG_QUERY = ("show", "config")
"""The arguments of scontrol for Slurm's settings."""

PARTITION_QUERY = ("-a", "-o", "show", "partition")
"""The arguments of scontrol for all partitions, a line each."""

_NOTHING = frozenset({"(null)", "(none)", "NONE", "N/A", "n/a", "none", ""})
_MOST = 16 << 20


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
    for line in text[:_MOST].splitlines():
        if line.startswith(f"{key}="):
            pairs = dict(re.findall(r"(?:^| )([A-Za-z][A-Za-z0-9:/_]*)=(\S*)", line))
            found[pairs[key]] = {name: "" if value in _NOTHING else value for name, value in pairs.items()}
    return found


def parse_rows(text: str, columns: int) -> list[list[str]]:
    """The rows of `sacctmgr -nP`, those that have so many columns."""
    rows = (line.split("|") for line in text[:_MOST].splitlines())
    return [[cell.strip() for cell in row] for row in rows if len(row) == columns]


def flags(config: Mapping[str, str], name: str) -> frozenset[str]:
    """The parts of a comma-separated setting, in small letters."""
    return frozenset(part.strip() for part in config.get(name.lower(), "").lower().split(",")) - {""}


def enforced(config: Mapping[str, str]) -> frozenset[str]:
    """What Slurm, whose settings these are, checks before it takes a job: associations, limits, qos.

    One of them implies others, as slurm.conf(5) says of AccountingStorageEnforce.
    """
    if "slurmdbd" not in config.get("accountingstoragetype", "").lower():
        return frozenset()
    said = set(flags(config, "AccountingStorageEnforce"))
    said |= {"safe", "qos"} if "all" in said else set()
    said |= {"limits"} if "safe" in said else set()
    said |= {"associations"} if said & {"limits", "qos", "wckeys"} else set()
    return frozenset(said)
