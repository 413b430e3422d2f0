"""The hub's own machine: environments, the helper with its sudoers line, addresses of hub and nodes."""

import asyncio
import json
import os
import pwd
import re
import socket
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path, PurePath

from skiva_hub.doctor.facts import Facts
from skiva_hub.doctor.finding import Finding, Group, error, listed, ok, warning
from skiva_hub.doctor.on_node import ask_hub
from skiva_hub.doctor.paths import weaknesses
from skiva_hub.site import Site
from skiva_slurm.errors import SlurmUnanswered
from skiva_slurm.runner import run

_G = Group.HUB
_ENV = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}


def serves_many(site: Site) -> bool:
    """Whether the helper acts as other accounts than the hub's own."""
    return any("{user}" in part for part in site.hub.helper)


def helper_program(helper: Sequence[str]) -> Path | None:
    """The program that acts as the user: what sudo starts, or the command itself."""
    parts = helper[1:] if helper and PurePath(helper[0]).name == "sudo" else helper[:1]
    return next((Path(part) for part in parts if part.startswith("/")), None)


def helper_file(site: Site) -> Iterator[Finding]:
    """The helper belongs to root and cannot be changed."""
    if not site.hub.helper:
        cure = "Write helper in [hub]; the manual has the command line and the sudoers line."
        yield error(_G, "The site names no helper, so the hub can start nothing for anybody.", cure)
        return
    program = helper_program(site.hub.helper)
    if program is None:
        cure = (
            'Write it as e.g. helper = ["/usr/bin/sudo", "-n", "-H", "-u", "{user}", "--", "/…/skiva-act"].'
        )
        yield error(_G, "The helper's command line has no program with its whole path.", cure)
        return
    try:
        owners = {0} if serves_many(site) else {0, os.geteuid()}
        found = [*weaknesses(program, owners, for_all=serves_many(site))]
    except OSError:
        yield error(_G, f"The helper {program} is not there.", "Install it, or correct helper in [hub].")
        return
    if found:
        cure = "It acts as every user: it and all directories above must belong to root alone."
        yield error(_G, f"The helper: {listed(found, 3)}.", cure)


def sudo_grants(text: str) -> list[tuple[bool, str]]:
    """What `sudo -l` lists: for each command whether it needs no password, and the command."""
    _, found, rest = text.partition("may run the following commands")
    grants: list[tuple[bool, str]] = []
    for line in rest.splitlines()[1:] if found else ():
        match = re.match(r"\s+\([^)]*\)\s+((?:[A-Z_]+:\s*)*)(.*)", line)
        if match:
            grants += [("NOPASSWD:" in match[1], c.strip()) for c in match[2].split(", ")]
    return grants


def sudoers(text: str, account: str, program: Path) -> Iterator[Finding]:
    """The hub's account may run the helper without a password, and nothing else."""
    grants = sudo_grants(text)
    line = f"{account} ALL=(%skiva-users) NOPASSWD: {program}"
    # Another hub on this machine, with a helper of its own, is no reason to worry.
    wide = sorted({c for _, c in grants if PurePath(c.split(" ")[0]).name != program.name})
    if "ALL" in wide:
        yield error(_G, f"{account} may run anything as others.", f"Allow it this alone: {line}")
        return
    if wide:
        yield warning(_G, f"{account} may also run {listed(wide)} as others.", f"This is enough: {line}")
    if not any(free and command.split(" ")[0] == str(program) for free, command in grants):
        cure = f"Add to /etc/sudoers.d/skiva: {line}"
        yield error(_G, f"{account} may not run the helper as others without a password.", cure)


async def helper(site: Site, account: str, person: str | None) -> list[Finding]:
    """The helper's file, its sudoers line, and whether it really answers as somebody."""
    found = [*helper_file(site)]
    program = helper_program(site.hub.helper)
    if found or program is None:
        return found
    if serves_many(site):
        try:
            pwd.getpwnam(account)
        except KeyError:
            cure = "Create it, or name the hub's account with --hub-user."
            return [error(_G, f"There is no account {account} for the hub to run as.", cure)]
        whose = ["-U", account] if os.geteuid() == 0 else []
        if os.geteuid() == 0 or pwd.getpwuid(os.geteuid()).pw_name == account:
            try:
                listing = await run(["sudo", "-n", "-l", *whose], env=_ENV, timeout=20)
            except SlurmUnanswered as problem:
                return [error(_G, f"sudo cannot be asked: {problem}.", "Install sudo.")]
            found += sudoers(listing.stdout, account, program)
    if not any(f.level == "error" for f in found):
        found += [await _answers(site, account, person)]
    return found


async def _answers(site: Site, account: str, person: str | None) -> Finding:
    """Ask the helper for something that it does not know: saying so is all that it has to do."""
    me = pwd.getpwuid(os.geteuid()).pw_name
    if not serves_many(site):
        person = me
    if person is None or (serves_many(site) and me not in {account, "root"}):
        cure = "Run the doctor as root or as the hub's account, with --user and somebody's account."
        return warning(_G, "Whether the helper answers was not tried.", cure)
    before = ["sudo", "-n", "-u", account, "--"] if serves_many(site) and me != account else []
    argv = [*before, *(part.replace("{user}", person) for part in site.hub.helper)]
    try:
        done = await run(argv, env=_ENV, stdin=b'{"action": "none"}', timeout=30)
        answer = json.loads(done.stdout)["error"]
    except SlurmUnanswered as problem:
        return error(_G, f"The helper does not answer: {problem}.", "Try its command line by hand.")
    except (ValueError, KeyError, TypeError):
        said = next((line for line in done.stderr.splitlines() if line.strip()), "it said nothing")
        cure = "Look at the sudoers line, and at etc/act.json beside the helper's directory."
        return error(_G, f"The helper does not answer as {person}: {said[:200]}.", cure)
    if not str(answer).startswith("not a request"):
        return error(_G, f"The helper cannot work: {answer}.", "Look at etc/act.json beside its directory.")
    return ok(_G, f"The helper answers as {person}.")


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
    """The address that Slurm has for each node means something on this machine."""
    ours = {p.name for p in site.partition}
    nodes = {n.name: n.address for n in facts.nodes.values() if ours.intersection(n.partitions)}
    turns = asyncio.Semaphore(16)

    async def resolves(address: str) -> bool:
        async with turns:
            loop = asyncio.get_running_loop()
            try:
                async with asyncio.timeout(10):
                    return bool(await loop.getaddrinfo(address, None, type=socket.SOCK_STREAM))
            except (OSError, UnicodeError):
                return False

    known = await asyncio.gather(*(resolves(address) for address in nodes.values()))
    lost = [f"{name} ({nodes[name]})" for name, is_known in zip(nodes, known, strict=True) if not is_known]
    return [address_finding(lost, nodes)]


def address_finding(lost: Collection[str], nodes: Iterable[str]) -> Finding:
    """What it means that some nodes' addresses are not known here."""
    if not lost:
        return ok(Group.NODES, f"The addresses of {len([*nodes])} nodes are known on this machine.")
    cure = "Set NodeAddr in slurm.conf to an address that the hub can reach, or add them to its name service."
    return error(Group.NODES, f"This machine does not know the address of {listed(lost)}.", cure)
