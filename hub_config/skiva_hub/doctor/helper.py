"""The helper that acts as people: its file, its configuration, its sudoers line, and as whom it acts."""

import grp
import json
import os
import pwd
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath, PurePosixPath
from typing import Any, NamedTuple

from skiva_hub.doctor.finding import Finding, Group, Level, error, listed, ok, warning
from skiva_hub.doctor.paths import weaknesses
from skiva_hub.site import Site
from skiva_slurm.errors import SlurmUnanswered
from skiva_slurm.runner import run

_G = Group.HUB
_ENV = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
_RUNUSER = "/usr/sbin/runuser"


@dataclass(frozen=True, slots=True)
class Way:
    """As whom the doctor submits its probes, and how."""

    person: str
    command: tuple[str, ...]
    """The helper's command line, with `{user}` where it can act as several."""
    as_hub: bool
    """Whether the helper is called as the hub calls it; else its caller acts for themselves alone."""


class Grant(NamedTuple):
    """One command that a sudoers line allows."""

    run_as: tuple[str, ...]
    """Accounts, and groups behind `%`."""
    free: bool
    """Whether it needs no password."""
    command: str


def serves_many(site: Site) -> bool:
    """Whether the helper acts as other accounts than the hub's own."""
    return any("{user}" in part for part in site.hub.helper)


def myself() -> str:
    """The account that runs the doctor."""
    return pwd.getpwuid(os.geteuid()).pw_name


def helper_program(helper: Sequence[str]) -> Path | None:
    """The program that acts as the user: what sudo starts, or the command itself."""
    parts = helper[1:] if helper and PurePath(helper[0]).name == "sudo" else helper[:1]
    return next((Path(part) for part in parts if part.startswith("/")), None)


async def examine(site: Site, account: str, wanted: str | None) -> tuple[list[Finding], Way | None]:
    """Look at the helper and try it; the way to act as somebody, None where there is none.

    Args:
        account: the hub's.
        wanted: as whom to act; None leaves the choice.
    """
    found = [*helper_file(site)]
    program = helper_program(site.hub.helper)
    if found or program is None:
        return found, None
    config = read_config(program)
    found += helper_config(site, program, config)
    way: Way | None = None
    me = myself()
    if serves_many(site) and me in {account, "root"}:
        more, way = await _as_the_hub(site, account, wanted, _operators(config))
        found += more
    elif wanted not in {None, me}:
        found.append(_cannot(me, str(wanted)))
    elif serves_many(site):
        found.append(_not_tried())
        way = Way(me, (str(program),), as_hub=False)
    else:
        way = Way(me, site.hub.helper, as_hub=True)
    if way is None or any(f.level is Level.ERROR for f in found):
        return found, None
    answer = await _answers(way, way.person, "none")
    return [*found, answer], way if answer.level is Level.OK else None


def _cannot(me: str, wanted: str) -> Finding:
    cure = "Run the doctor as root or as the hub's account, or without --user."
    return error(_G, f"{me} cannot act as {wanted}.", cure)


def _not_tried() -> Finding:
    cure = "Run the doctor as root or as the hub's account, with --user and somebody's account."
    return warning(_G, "Whether the hub may act as people was not tried.", cure)


async def _as_the_hub(
    site: Site, account: str, wanted: str | None, operators: Collection[str]
) -> tuple[list[Finding], Way | None]:
    """What the sudoers line allows the hub's account, and the way that it opens."""
    if _entry(account) is None:
        cure = "Create it, or name the hub's account with --hub-user."
        return [error(_G, f"There is no account {account} for the hub to run as.", cure)], None
    program = helper_program(site.hub.helper) or Path("/")
    root = os.geteuid() == 0
    try:
        listing = await run(["sudo", "-n", "-l", *(["-U", account] if root else [])], env=_ENV, timeout=20)
    except SlurmUnanswered as problem:
        return [error(_G, f"sudo cannot be asked: {problem}.", "Install sudo.")], None
    found = [*sudoers(listing.stdout, account, program)]
    run_as = [who for grant in _of(listing.stdout, program) for who in grant.run_as]
    person = wanted or somebody(run_as, {account, "root", *operators})
    if person is None:
        cure = "Name an account of somebody who may use the hub with --user."
        found.append(error(_G, "Nobody was found to act as.", cure))
    elif _entry(person) is None:
        cure = "Name an account of somebody who may use the hub with --user."
        found.append(error(_G, f"There is no account {person} on this machine.", cure))
    else:
        before = (_RUNUSER, "-u", account, "--") if root and account != "root" else ()
        return found, Way(person, (*before, *site.hub.helper), as_hub=True)
    return found, None


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


def config_path(program: Path) -> Path:
    """Where the helper finds what it may run."""
    return program.resolve().parent.parent / "etc" / "act.json"


def read_config(program: Path) -> Mapping[str, Any] | None:
    """The helper's configuration; None where it cannot be read."""
    try:
        return dict(json.loads(config_path(program).read_bytes()))
    except (OSError, ValueError, TypeError):
        return None


def helper_config(site: Site, program: Path, config: Mapping[str, Any] | None) -> Iterator[Finding]:
    """The helper and the site file agree on Slurm, on where sessions keep their files, and on operators."""
    path = config_path(program)
    if config is None:
        cure = "Install it from share/skiva, readable for everybody, and correct it for this site."
        yield error(_G, f"The helper's configuration {path} cannot be read.", cure)
        return
    for key, name, mine in (
        ("run_dirs", "run_dirs in [hub]", site.hub.run_dirs),
        ("bin", "bin in [cluster]", site.cluster.bin),
        ("SLURM_CONF", "conf in [cluster]", site.cluster.conf),
    ):
        table = config if key in {"run_dirs", "bin"} else config.get("env")
        theirs = str(table.get(key, "")) if isinstance(table, Mapping) else ""
        if mine is not None and PurePosixPath(theirs) != PurePosixPath(mine):
            sentence = f"{path} has {theirs or 'nothing'} as {key}, the site file {mine} as {name}."
            yield error(
                _G, sentence, "Write the same in both: sessions are started by one, found by the other."
            )


def _operators(config: Mapping[str, Any] | None) -> list[str]:
    named = (config or {}).get("operators")
    return [str(name) for name in named] if isinstance(named, list) else []


def sudo_grants(text: str) -> list[Grant]:
    """What `sudo -l` lists."""
    _, found, rest = text.partition("may run the following commands")
    grants: list[Grant] = []
    for line in rest.splitlines()[1:] if found else ():
        match = re.match(r"\s+\(([^)]*)\)\s+((?:[A-Z_]+:\s*)*)(.*)", line)
        if match:
            run_as = tuple(who.strip() for who in match[1].partition(":")[0].split(",") if who.strip())
            grants += [Grant(run_as, "NOPASSWD:" in match[2], c.strip()) for c in match[3].split(", ")]
    return grants


def _of(text: str, program: Path) -> list[Grant]:
    """Those that are the helper's."""
    return [grant for grant in sudo_grants(text) if grant.command.split(" ")[0] == str(program)]


def sudoers(text: str, account: str, program: Path) -> Iterator[Finding]:
    """The hub's account may run the helper without a password, and nothing else."""
    line = f"{account} ALL=(%skiva-users) NOPASSWD: {program}"
    # Another hub on this machine, with a helper of its own, is no reason to worry.
    wide = sorted(
        {g.command for g in sudo_grants(text) if PurePath(g.command.split(" ")[0]).name != program.name}
    )
    if "ALL" in wide:
        yield error(_G, f"{account} may run anything as others.", f"Allow it this alone: {line}")
        return
    if wide:
        yield warning(_G, f"{account} may also run {listed(wide)} as others.", f"This is enough: {line}")
    if not any(grant.free for grant in _of(text, program)):
        cure = f"Add to /etc/sudoers.d/skiva, with the group of your users: {line}"
        yield error(_G, f"{account} may not run the helper as others without a password.", cure)


def somebody(run_as: Iterable[str], others: Collection[str]) -> str | None:
    """An ordinary account that the sudoers line lets the helper run as: who called sudo, or any."""
    names = [name for who in run_as for name in _names(who) if name not in others and _entry(name)]
    caller = os.environ.get("SUDO_USER", "")
    return caller if caller in names else next(iter(names), None)


def _names(who: str) -> Iterator[str]:
    """The account that a sudoers line names, or the members of the group."""
    if not who.startswith("%"):
        yield who
        return
    try:
        group = grp.getgrnam(who[1:])
    except KeyError:
        return
    yield from group.gr_mem
    yield from (entry.pw_name for entry in pwd.getpwall() if entry.pw_gid == group.gr_gid)


def _entry(name: str) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(name)
    except KeyError:
        return None


async def extension(site: Site, way: Way, account: str) -> list[Finding]:
    """Whether the helper answers as the operator who lengthens jobs, and does nothing else as them."""
    program, operator = helper_program(site.hub.helper), site.hours.extend_as
    if not site.hours.extend_by or program is None:
        return []
    if operator is None:
        cure = "Write extend_as in [hours], a Slurm operator's account, or extend_by = 0."
        return [error(_G, "Nobody can extend a session: extend_as is missing in [hours].", cure)]
    if not serves_many(site):
        return []
    if _entry(operator) is None:
        cure = f"useradd --system --home-dir /nonexistent --shell /usr/sbin/nologin {operator}"
        sentence = f"Nobody can extend a session: there is no account {operator} (extend_as in [hours])."
        return [error(_G, sentence, cure)]
    if operator not in _operators(read_config(program)):
        cure = f'Write "operators": ["{operator}"]: it may then lengthen jobs and do no more.'
        sentence = f"{config_path(program)} does not list {operator} (extend_as in [hours]) under operators."
        return [error(_G, sentence, cure)]
    if not way.as_hub:
        return []
    answer = await _answers(way, operator, "extend")
    if answer.level is Level.ERROR:
        cure = f"Add it to the sudoers line: {account} ALL=(%skiva-users,{operator}) NOPASSWD: {program}"
        answer = error(_G, f"Nobody can extend a session. {answer.sentence}", cure)
    return [answer]


async def _answers(way: Way, person: str, action: str) -> Finding:
    """Ask the helper for something that it cannot do: saying so is all that it has to do."""
    argv = [part.replace("{user}", person) for part in way.command]
    try:
        done = await run(argv, env=_ENV, stdin=json.dumps({"action": action}).encode(), timeout=30)
        answer = json.loads(done.stdout)["error"]
    except SlurmUnanswered as problem:
        return error(_G, f"The helper does not answer: {problem}.", "Try its command line by hand.")
    except (ValueError, KeyError, TypeError):
        said = next((line for line in done.stderr.splitlines() if line.strip()), "it said nothing")
        cure = f"See that {person} is in a group of the sudoers line; look at etc/act.json beside the helper."
        return error(_G, f"The helper does not answer as {person}: {said[:200]}.", cure)
    if not str(answer).startswith("not a request"):
        return error(_G, f"The helper cannot work: {answer}.", "Look at etc/act.json beside its directory.")
    return ok(_G, f"The helper answers as {person}.")
