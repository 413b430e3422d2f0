"""`spawn`: from one person's click to the first usable page."""

import pwd
from dataclasses import dataclass
from statistics import median

from bench.client import Browser, Click
from bench.ours import Cluster, cluster
from bench.peer import stock
from bench.people import people
from bench.proc import account_cpu_seconds
from bench.report import Goal, Report, spread
from bench.side import Side

_METHOD = (
    "One person, one 1g.10gb slice of the same partition, sides alternating, each start after the job before "
    "is gone; one start of each side beforehand is not counted."
)


@dataclass(frozen=True)
class Start:
    """One start; `hub_cpu` and `session_cpu` are processor seconds until the page was there."""

    click: Click
    hub_cpu: float
    session_cpu: float


async def measure(*, rounds: int) -> Report:
    """Start sessions on both sides in turn and compare the medians."""
    found: dict[str, list[Start]] = {"skiva": [], "stock": []}
    async with cluster() as ours:
        with people(1, ours.dir / "homes") as [name]:
            async with stock(ours) as peer:
                for side in (ours.side, peer):
                    await side.add_users([name])
                for turn in range(rounds + 1):
                    for side in (ours.side, peer):
                        start = await _one(side, ours, name)
                        if turn:
                            found[side.name].append(start)
    return _report(found)


async def _one(side: Side, ours: Cluster, name: str) -> Start:
    before = side.cpu()
    async with Browser(side.url, name) as browser:
        await browser.sign_in(side.password)
        if side.form:
            await browser.open_form()
        try:
            click = await browser.click(side.form)
            return Start(click, side.cpu() - before, account_cpu_seconds(pwd.getpwnam(name).pw_uid))
        finally:
            await side.stop(name)
            await ours.slurm.until_empty()


def _report(found: dict[str, list[Start]]) -> Report:
    columns = ("", "ready", "first usable page", "session CPU", "hub CPU")
    report = Report("spawn", _METHOD, columns)
    for name, starts in found.items():
        values = {
            "ready": [s.click.ready for s in starts],
            "page": [s.click.page for s in starts],
            "session_cpu": [s.session_cpu for s in starts],
            "hub_cpu": [s.hub_cpu for s in starts],
        }
        report.rows.append((name, *(spread(one) for one in values.values())))
        report.raw[name] = values
    ratio = median(s.click.page for s in found["skiva"]) / median(s.click.page for s in found["stock"])
    report.goals.append(Goal("first usable page, median beside stock's", ratio, 0.5))
    return report
