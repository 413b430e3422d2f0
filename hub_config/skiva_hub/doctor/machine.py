"""The hub's own machine: how the hub is reached, how nodes are, and whether one of them is this machine."""

import asyncio
import socket
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from skiva_hub.doctor.facts import Facts
from skiva_hub.doctor.finding import Finding, Group, error, listed, ok, warning
from skiva_hub.doctor.helper import serves_many
from skiva_hub.doctor.on_node import ask_hub
from skiva_hub.site import Site

_G = Group.HUB
_PTRACE_SCOPE = Path("/proc/sys/kernel/yama/ptrace_scope")


async def hub(site: Site) -> Finding:
    """The hub answers at the address that jobs are given."""
    url = site.hub.api_url
    said = await asyncio.to_thread(ask_hub, url, 10.0)
    return hub_answer(_G, "this machine", url, said)


def hub_answer(group: Group, place: str, url: str, said: dict[str, str]) -> Finding:
    """What an attempt to reach the hub's API means."""
    kind, words = said.get("answer", "unreachable"), said.get("words", "")
    if kind == "hub":
        return ok(group, f"The hub answers at {url} from {place} ({words}).")
    if kind == "refused":
        cure = "Start the hub, or correct hub.api_url, and run the doctor again."
        return warning(group, f"No hub answers at {url}, asked from {place}: {words}.", cure)
    if kind == "other":
        cure = "Correct hub.api_url, which ends in /hub/api; or start the hub behind its proxy."
        return warning(group, f"At {url}, asked from {place}, is no hub: {words}.", cure)
    if kind == "untrusted":
        cure = "Use a certificate that the nodes trust, for the name in hub.api_url."
        return error(group, f"The certificate at {url} is not accepted by {place}: {words}.", cure)
    cure = "Correct hub.api_url, or open the way in firewalls and name service."
    return error(group, f"The hub at {url} cannot be reached from {place}: {words}.", cure)


async def addresses(site: Site, facts: Facts) -> list[Finding]:
    """The address that Slurm has for each node means something on this machine, and is another machine's."""
    ours = {p.name for p in site.partition}
    nodes = {n.name: n.address for n in facts.nodes.values() if ours.intersection(n.partitions)}
    turns = asyncio.Semaphore(16)

    async def known(address: str) -> list[str]:
        async with turns:
            loop = asyncio.get_running_loop()
            try:
                async with asyncio.timeout(10):
                    found = await loop.getaddrinfo(address, None, type=socket.SOCK_STREAM)
            except (OSError, UnicodeError):
                return []
            return [str(entry[4][0]) for entry in found]

    found = dict(zip(nodes, await asyncio.gather(*map(known, nodes.values())), strict=True))
    lost = [f"{name} ({nodes[name]})" for name, known_as in found.items() if not known_as]
    findings = [address_finding(lost, nodes)]
    if site.cluster.fenced and serves_many(site):
        findings += ptrace(nodes_here(found), _ptrace_scope())
    return findings


def nodes_here(addresses: Mapping[str, Iterable[str]]) -> list[str]:
    """The nodes that are this machine."""
    return [name for name, known_as in addresses.items() if any(map(_is_mine, known_as))]


def _is_mine(address: str) -> bool:
    """What is sent to an address of one's own is sent from it; nothing is sent to find out."""
    with (
        suppress(OSError),
        socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as asked,
    ):
        asked.connect((address, 9))
        return bool(asked.getsockname()[0] == address)
    return False


def _ptrace_scope() -> int | None:
    try:
        return int(_PTRACE_SCOPE.read_text())
    except (OSError, ValueError):
        return None


def ptrace(here: Collection[str], scope: int | None) -> list[Finding]:
    """Whether a job can take over the helper that acts as its owner, which no fence of a job holds."""
    if not here or (scope or 0) >= 1:
        return []
    sentence = (
        f"The hub is on a node ({listed(here, 2)}), where a job can take over the helper that acts as its "
        "owner, and so leave its fence: it reaches all devices, and its time and memory have no limit."
    )
    cure = "Write kernel.yama.ptrace_scope = 1 to /etc/sysctl.d/skiva.conf and run sysctl --system"
    if scope is None:
        cure = "This kernel has no Yama (kernel.yama.ptrace_scope). Boot one that has"
    return [warning(Group.NODES, sentence, f"{cure}; or keep the hub on a machine that is no node.")]


def address_finding(lost: Collection[str], nodes: Iterable[str]) -> Finding:
    """What it means that some nodes' addresses are not known here."""
    if not lost:
        return ok(Group.NODES, f"The addresses of {len([*nodes])} nodes are known on this machine.")
    cure = "Set NodeAddr in slurm.conf to an address that the hub can reach, or add them to its name service."
    return error(Group.NODES, f"This machine does not know the address of {listed(lost)}.", cure)
