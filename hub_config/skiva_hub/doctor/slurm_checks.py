"""Is this a Slurm that sessions run well on? Pure: facts in, findings out."""

import re
from collections.abc import Iterator

from skiva_hub.doctor.facts import Facts
from skiva_hub.doctor.finding import Finding, Group, error, ok, warning
from skiva_hub.site import Site

OLDEST = (22, 5)
SECURE = {(23, 11): 11, (24, 5): 8, (24, 11): 5, (25, 5): 9, (25, 11): 8, (26, 5): 4}
"""For each release series, the release with the security fixes of 2025 (and, from 25.05 on, of 2026)."""


def check(site: Site, facts: Facts) -> Iterator[Finding]:
    """Every check of Slurm itself."""
    yield from version(facts)
    yield from selection(site, facts)
    yield from quick_starts(facts)
    yield from ends(facts)
    yield from rate_limit(site, facts)


def version(facts: Facts) -> Iterator[Finding]:
    """Recent enough to work, and to be safe."""
    said = facts.config.get("slurm_version", "")
    match = re.match(r"(\d+)\.(\d+)\.(\d+)", said)
    if match is None:
        yield warning(Group.SLURM, f"Slurm calls its version {said!r}.", "Use a released version.")
        return
    major, minor, patch = map(int, match.groups())
    series = (major, minor)
    name = f"Slurm {said}"
    if series < OLDEST:
        cure = (
            "Upgrade it: 22.05 is the oldest that works, a release that still gets security fixes is better."
        )
        yield error(Group.SLURM, f"{name} is too old.", cure)
    elif series not in SECURE and series < max(SECURE):
        cure = "Upgrade it, unless your distribution has carried the fixes over."
        yield warning(Group.SLURM, f"{name} is of a series that got no security fixes of 2025.", cure)
    elif patch < SECURE.get(series, 0):
        wanted = f"{major}.{minor:02}.{SECURE[series]}"
        cure = f"Upgrade to {wanted} or later, unless your distribution has carried the fixes over."
        yield warning(Group.SLURM, f"{name} lacks security fixes that {wanted} has.", cure)
    else:
        yield ok(Group.SLURM, f"{name} answers.")


def selection(site: Site, facts: Facts) -> Iterator[Finding]:
    """Slurm hands out devices, cores and memory one by one."""
    select = facts.said("SelectType")
    if select and select not in {"select/cons_tres", "select/cray_aries"}:
        yield error(
            Group.SLURM,
            f"SelectType is {select}: a session would take a whole node, or get no GPU of its own.",
            "Set SelectType=select/cons_tres in slurm.conf.",
        )
    if "memory" not in facts.said("SelectTypeParameters"):
        yield warning(
            Group.SLURM,
            "Slurm does not count memory, so sessions can crowd each other out.",
            "Set SelectTypeParameters=CR_Core_Memory in slurm.conf.",
        )
    kinds = {s.gres.split(":")[0] for s in site.slice if s.gres}
    for kind in sorted(kinds - set(facts.flags("GresTypes"))):
        yield error(
            Group.SLURM,
            f"Slurm has no gres called {kind}.",
            f"Add {kind} to GresTypes in slurm.conf, and the devices to gres.conf.",
        )


def quick_starts(facts: Facts) -> Iterator[Finding]:
    """What keeps a session waiting although its slice is free."""
    parameters = dict(part.partition("=")[::2] for part in facts.flags("SchedulerParameters"))
    if facts.said("SchedulerType") == "sched/builtin":
        yield warning(
            Group.SLURM,
            "sched/builtin makes small sessions wait behind big jobs, and tells nobody when they will start.",
            "Set SchedulerType=sched/backfill in slurm.conf.",
        )
    if "defer" in parameters:
        yield warning(
            Group.SLURM,
            "SchedulerParameters has defer: no session starts the moment it is submitted.",
            "Remove defer, or accept that each start waits for the scheduler's next round.",
        )
    if _seconds(parameters.get("batch_sched_delay"), 3) > 0:
        yield ok(
            Group.SLURM,
            "Slurm may wait some seconds before it looks at a new job.",
            "For quicker starts add batch_sched_delay=0 and bf_interval=5 to SchedulerParameters.",
        )
    if _seconds(parameters.get("bf_interval"), 30) > 60:
        yield warning(
            Group.SLURM,
            f"Backfill runs only every {parameters['bf_interval']} s, and so long small sessions wait.",
            "Set bf_interval=30 or less in SchedulerParameters.",
        )
    if facts.said("EnforcePartLimits") in {"no", ""}:
        yield ok(
            Group.SLURM,
            "Slurm accepts jobs that can never start in their partition, and lets them wait.",
            "Set EnforcePartLimits=ALL, and people are told at once.",
        )


def ends(facts: Facts) -> Iterator[Finding]:
    """Ended jobs stay in sight long enough for their end to be seen."""
    age = _seconds(facts.said("MinJobAge").split(" ")[0], 300)
    if 0 < age < 60:
        yield warning(
            Group.SLURM,
            f"Slurm forgets a job {age} s after its end, so the reason may never be seen.",
            "Set MinJobAge=300 in slurm.conf.",
        )


def rate_limit(site: Site, facts: Facts) -> Iterator[Finding]:
    """Slurm's own rate limit, and what the hub needs of it."""
    flags = dict(part.partition("=")[::2] for part in facts.flags("SlurmctldParameters"))
    if "rl_enable" not in flags:
        return
    refill = _seconds(flags.get("rl_refill_rate"), 2) / max(1, _seconds(flags.get("rl_refill_period"), 1))
    # Two requests for each reading of the jobs, and two for the nodes at most every five seconds.
    needed = 2 / site.cluster.busy_interval + 0.4
    sentence = f"Slurm limits requests (rl_enable) to {refill:g} a second for each account."
    if needed > refill:
        sentence += f" The hub makes {needed:g} a second while somebody waits."
        cure = f"Set rl_refill_rate={round(needed + 1)}, or busy_interval = 2 in [cluster]."
        yield warning(Group.SLURM, sentence, cure)
    else:
        yield ok(Group.SLURM, f"{sentence} That is enough: one reader asks for everybody.")


def _seconds(text: str | None, default: int) -> int:
    return int(text) if text and text.isdecimal() else default
