"""`storm`: many people click at the same moment."""

from contextlib import AsyncExitStack
from dataclasses import dataclass
from statistics import median

from bench.client import Browser, Click
from bench.ours import Cluster, cluster
from bench.peer import stock
from bench.people import people
from bench.report import Goal, Report, spread
from bench.side import Side, together

_METHOD = (
    "All click at once, each in an account of their own, on a slice of two cores; sides alternating, each "
    "round after the jobs before are gone; one round of each side beforehand is not counted."
)


@dataclass(frozen=True)
class Round:
    """One storm on one side."""

    clicks: list[Click]
    requests: int
    hub_cpu: float

    @property
    def pages(self) -> list[float]:
        """Seconds from the click to each person's first usable page."""
        return [click.page for click in self.clicks]


async def measure(*, users: int, rounds: int) -> Report:
    """Let `users` people start at once, on both sides in turn."""
    found: dict[str, list[Round]] = {"skiva": [], "stock": []}
    async with cluster() as ours:
        with people(users, ours.dir / "homes") as names:
            async with stock(ours, partition="cpu", gres="") as peer:
                for side in (ours.side, peer):
                    await side.add_users(names)
                for turn in range(rounds + 1):
                    for side in (ours.side, peer):
                        storm = await _storm(side, ours, names)
                        if turn:
                            found[side.name].append(storm)
    return _report(found, users)


async def _storm(side: Side, ours: Cluster, names: list[str]) -> Round:
    form = {**side.form, "slice": "cpu"} if side.form else None
    async with AsyncExitStack() as stack:
        browsers = [await stack.enter_async_context(Browser(side.url, name)) for name in names]
        for browser in browsers:
            await browser.sign_in(side.password)
            if form:
                await browser.open_form()
        ours.slurm.reset_counts()
        before = side.cpu()
        # Both hubs run all the time, and ours reads the queue.
        idle = "" if side.asks_as else ours.side.asks_as
        try:
            clicks = await together(browser.click(form) for browser in browsers)
            return Round(clicks, ours.slurm.counts().total(without=idle), side.cpu() - before)
        finally:
            await together(side.stop(name) for name in names)
            await ours.slurm.until_empty()


def _report(found: dict[str, list[Round]], users: int) -> Report:
    columns = ("", "first usable page, median", "last", "slurmctld requests", "hub CPU")
    report = Report(f"storm of {users}", _METHOD, columns)
    medians: dict[str, float] = {}
    for name, rounds in found.items():
        medians[name] = median(page for r in rounds for page in r.pages)
        report.rows.append(
            (
                name,
                spread([median(r.pages) for r in rounds]),
                spread([max(r.pages) for r in rounds]),
                f"{median(r.requests for r in rounds):.0f}",
                spread([r.hub_cpu for r in rounds]),
            )
        )
        report.raw[name] = [
            {
                "pages": r.pages,
                "ready": [c.ready for c in r.clicks],
                "requests": r.requests,
                "hub_cpu": r.hub_cpu,
            }
            for r in rounds
        ]
    report.goals.append(
        Goal("first usable page, median beside stock's", medians["skiva"] / medians["stock"], 0.5)
    )
    return report
