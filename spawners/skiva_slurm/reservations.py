"""From what scontrol prints to reservations. Pure."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from skiva_slurm.errors import Unreadable
from skiva_slurm.hostlist import expand
from skiva_slurm.settings import flags, parse_config

__all__ = ["RESERVATION_QUERY", "Reservation", "hides_reservations", "parse_reservations"]

RESERVATION_QUERY = ("-a", "-o", "show", "reservation")
"""The arguments of scontrol for all reservations, a line each; one that is over is not among them."""

_NONE = "No reservations in the system"
_PAIR = re.compile(r"(?:^| )([A-Za-z]+)=(\S*)")


@dataclass(frozen=True, slots=True)
class Reservation:
    """One reservation; times are seconds since the epoch."""

    name: str
    start: float
    end: float
    nodes: tuple[str, ...] = ()
    flexible: bool = False
    """Its jobs may also run beside its nodes, before it begins and after it ends (FLEX)."""

    def is_over(self, now: float) -> bool:
        """Whether it has ended, seen with the hub's clock: a reading may be older than its end."""
        return self.end <= now

    def hours(self, now: float) -> float:
        """How long a job in it may last that starts as soon as it can, in whole minutes, at least one."""
        if self.flexible:
            return math.inf
        return max(1, math.floor((self.end - max(now, self.start)) / 60)) / 60


def parse_reservations(text: str) -> dict[str, Reservation]:
    """The reservations in scontrol's answer to `RESERVATION_QUERY`, by name.

    Raises:
        Unreadable: there is none without scontrol saying so, a line is garbled, or the last is cut off.
    """
    if text.strip() == _NONE:
        return {}
    if not text.startswith("ReservationName=") or not text.endswith("\n"):
        raise Unreadable("scontrol's list of reservations is empty, garbled or cut off")
    found = [_reservation(line) for line in text.splitlines() if line.startswith("ReservationName=")]
    return {one.name: one for one in found}


def hides_reservations(config: str) -> bool:
    """Whether Slurm, whose settings these are, may keep reservations from who asks (PrivateData)."""
    settings = parse_config(config)
    hidden = flags(settings, "PrivateData")
    return "privatedata" not in settings or not {"reservations", "all"}.isdisjoint(hidden)


def _reservation(line: str) -> Reservation:
    pairs: dict[str, str] = {}
    for key, value in _PAIR.findall(line[:65536]):
        pairs.setdefault(key, value)
    try:
        start, end = _moment(pairs, "StartTime"), _moment(pairs, "EndTime")
        nodes, flags = pairs["Nodes"], pairs["Flags"]
        return Reservation(
            name=pairs["ReservationName"],
            start=start,
            end=end,
            nodes=expand(nodes) if nodes not in {"", "(null)"} else (),
            flexible="FLEX" in flags.split(","),
        )
    except KeyError as missing:
        raise Unreadable(f"a line of scontrol's list of reservations has no {missing.args[0]}") from None


def _moment(pairs: Mapping[str, str], key: str) -> float:
    if not re.fullmatch(r"[0-9]{1,12}", pairs[key]):
        raise Unreadable(f"a line of scontrol's list of reservations has no time as its {key}")
    return float(pairs[key])
