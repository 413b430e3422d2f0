"""Does Slurm keep people away from other people's devices and memory? Pure."""

from collections.abc import Iterator

from skiva_hub.doctor.facts import Facts
from skiva_hub.doctor.finding import Finding, Group, error, listed, ok, warning
from skiva_hub.site import Site

_G = Group.FENCING


def check(site: Site, facts: Facts) -> Iterator[Finding]:
    """Every check of fences; the probe jobs then prove them."""
    if not site.cluster.fenced:
        exclusive = [s.id for s in site.slice if s.isolation == "exclusive"]
        yield warning(
            _G,
            "The site file says that nodes fence nothing, and every page says so too"
            + (f"; {listed(exclusive)} cannot be proved exclusive." if exclusive else "."),
            "Set up cgroups (ConstrainDevices=yes), then remove fenced = false from [cluster].",
        )
        return
    yield from devices(site, facts)
    yield from processes(facts)
    yield from memory(facts)


def devices(site: Site, facts: Facts) -> Iterator[Finding]:
    """ConstrainDevices, without which a GPU belongs to whoever opens it."""
    said = facts.said("ConstrainDevices")
    if said == "yes":
        yield ok(_G, "Slurm fences devices (ConstrainDevices=yes).")
    elif "constraindevices" in facts.config:
        wanted = [s.id for s in site.slice if s.isolation == "exclusive"]
        yield error(
            _G,
            f"Slurm does not fence devices (ConstrainDevices={said or 'no'}): "
            f"sessions on {listed(wanted) or 'GPU slices'} would be refused by their own proof.",
            "Set ConstrainDevices=yes in cgroup.conf on every node and restart slurmd.",
        )
    else:
        yield warning(
            _G,
            "Slurm does not show its cgroup.conf here.",
            "See that cgroup.conf has ConstrainDevices=yes on every node; the probe jobs prove it.",
        )


def processes(facts: Facts) -> Iterator[Finding]:
    """The plugins that put a job's processes behind its fence and find them all at its end."""
    if facts.said("ProctrackType") != "proctrack/cgroup":
        yield error(
            _G,
            f"ProctrackType is {facts.said('ProctrackType') or 'not set'}: processes can outlive their job.",
            "Set ProctrackType=proctrack/cgroup in slurm.conf.",
        )
    if "task/cgroup" not in facts.flags("TaskPlugin"):
        yield error(
            _G,
            "TaskPlugin lacks task/cgroup, so nothing is fenced.",
            "Set TaskPlugin=task/cgroup,task/affinity in slurm.conf.",
        )


def memory(facts: Facts) -> Iterator[Finding]:
    """A session that takes too much memory ends, and not its neighbour's."""
    if "constrainramspace" in facts.config and facts.said("ConstrainRAMSpace") != "yes":
        yield warning(
            _G,
            "Slurm does not enforce memory: one session can take the whole node's.",
            "Set ConstrainRAMSpace=yes in cgroup.conf on every node.",
        )
