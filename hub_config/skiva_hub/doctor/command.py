"""`skiva doctor`: the command line, and how findings are printed."""

import argparse
import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable, Sequence
from itertools import groupby
from pathlib import Path

from skiva_hub.doctor import accounts, clusters, environments, fencing, helper, machine, slices, slurm_checks
from skiva_hub.doctor.facts import Facts, read
from skiva_hub.doctor.finding import Finding, Group, Level, error, warning
from skiva_hub.doctor.probe import probe
from skiva_hub.site import Site
from skiva_hub.site_file import SiteError, load
from skiva_slurm.errors import SlurmUnanswered

_MARKS = {Level.OK: ("ok", "32"), Level.WARNING: ("warning", "33"), Level.ERROR: ("error", "31")}
_HUB_ACCOUNT = "skiva-hub"


def main(argv: Sequence[str] | None = None) -> int:
    """Check a site against its Slurm; 0 where nothing is wrong, 1 where something is, 2 on wrong usage."""
    given = _arguments().parse_args(argv)
    path = _site_path(given)
    try:
        site = load(path)
    except SiteError as problem:
        sys.stderr.write(f"{problem}\n")
        return 1
    tell = _silent if given.json else _progress
    try:
        findings = asyncio.run(_examine(site, given, tell))
    except (KeyboardInterrupt, asyncio.CancelledError):
        sys.stderr.write("Interrupted; what was submitted has been cancelled.\n")
        return 130
    text = as_json(path, findings) if given.json else as_text(path, findings, colour=sys.stdout.isatty())
    sys.stdout.write(text)
    return int(any(f.level is Level.ERROR for f in findings))


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="skiva doctor", description="Compare a site file with what its Slurm really has."
    )
    parser.add_argument("--site", type=Path, metavar="FILE", help="the site file; SKIVA_SITE names it too")
    parser.add_argument("--dir", type=Path, help="the state directory of an embedded cluster")
    parser.add_argument(
        "--probe",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="submit a short job for each slice, as a session would be",
    )
    parser.add_argument("--wait", type=float, default=60.0, metavar="S", help="seconds a probe job may queue")
    parser.add_argument(
        "--user",
        metavar="NAME",
        help="who submits the jobs, through the helper; one of the hub's people if not said",
    )
    parser.add_argument(
        "--hub-user", metavar="NAME", default=_HUB_ACCOUNT, help="the account the hub runs as"
    )
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")
    return parser


def _site_path(given: argparse.Namespace) -> Path:
    """The file that was named, or the nearest one that is there."""
    if given.site:
        return Path(given.site)
    if given.dir:
        return Path(given.dir) / "site.toml"
    if "SKIVA_SITE" in os.environ:
        return Path(os.environ["SKIVA_SITE"])
    from skiva_hub.cli import default_dir

    here = Path("site.toml")
    return here if here.exists() and "SKIVA_DIR" not in os.environ else default_dir() / "site.toml"


async def _examine(site: Site, given: argparse.Namespace, tell: Callable[[str], None]) -> list[Finding]:
    # A doctor that is told to end still cancels what it submitted.
    task = asyncio.current_task()
    if task is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    tell("Asking Slurm")
    account = given.hub_user if helper.serves_many(site) else helper.myself()
    findings, way = await helper.examine(site, account, given.user)
    if way:
        findings += await helper.extension(site, way, account)
    findings += [*environments.environments(site), await machine.hub(site)]
    person = way.person if way else given.user
    try:
        facts = await read(site, caller=helper.myself(), account=account, person=person)
    except SlurmUnanswered as problem:
        cure = "Correct bin and conf in [cluster], start Slurm and munge, and see that the clocks agree."
        return [error(Group.SLURM, f"Slurm does not answer: {problem}.", cure), *findings]
    findings = [*of_slurm(site, facts, account, person), *findings, *await machine.addresses(site, facts)]
    if given.probe and way:
        return findings + await probe(site, facts, way, patience=given.wait, tell=tell)
    cure = "Mend what is said of the helper." if given.probe else "Run the doctor without --no-probe."
    return [*findings, warning(Group.PROBES, "Nothing was proved by a job.", cure)]


def of_slurm(
    site: Site, facts: Facts, account: str = _HUB_ACCOUNT, person: str | None = None
) -> list[Finding]:
    """What comparing the site with Slurm's own words brings. Pure.

    Args:
        account: the hub's.
        person: the one who probes.
    """
    return [
        *slurm_checks.check(site, facts),
        *slices.check(site, facts),
        *clusters.check(site, facts),
        *fencing.check(site, facts),
        *accounts.check(site, facts, account, person),
    ]


def as_text(path: Path, findings: Sequence[Finding], *, colour: bool) -> str:
    """The findings for people, grouped, with a line that sums them up."""
    lines = [f"{path}"]
    order = list(Group)
    for group, found in groupby(sorted(findings, key=lambda f: order.index(f.group)), lambda f: f.group):
        lines += ["", group.value, *(line for finding in found for line in _lines(finding, colour))]
    counts = {level: sum(f.level is level for f in findings) for level in Level}
    errors, warnings = counts[Level.ERROR], counts[Level.WARNING]
    lines += ["", f"{_count(errors, 'error')}, {_count(warnings, 'warning')}, {counts[Level.OK]} ok."]
    return "".join(f"{line}\n" for line in lines)


def _lines(finding: Finding, colour: bool) -> list[str]:
    word, code = _MARKS[finding.level]
    mark = f"\x1b[{code}m{word:>7}\x1b[0m" if colour else f"{word:>7}"
    texts = [_printable(text) for text in (finding.sentence, finding.cure) if text]
    return [f"  {mark}  {texts[0]}", *(f"           {text}" for text in texts[1:])]


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)


def _count(number: int, word: str) -> str:
    return f"{number or 'no'} {word}{'s' * (number != 1)}"


def as_json(path: Path, findings: Sequence[Finding]) -> str:
    """The findings for programs."""
    told = [
        {"level": f.level, "group": f.group.value, "sentence": f.sentence, "cure": f.cure} for f in findings
    ]
    errors, warnings = (sum(f.level is level for f in findings) for level in (Level.ERROR, Level.WARNING))
    told_all = {"site": str(path), "errors": errors, "warnings": warnings, "findings": told}
    return json.dumps(told_all, ensure_ascii=False, indent=1) + "\n"


def _progress(sentence: str) -> None:
    sys.stderr.write(f"… {sentence}\n")
    sys.stderr.flush()


def _silent(_: str) -> None:
    pass
