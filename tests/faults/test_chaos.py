"""A minute of what `./skiva bench chaos` does for as long as one likes."""

from tests.support.chaos import Chaos
from tests.support.faults import LIGHT, Faults


def test_a_minute_of_random_deeds_breaks_no_promise(faults: Faults) -> None:
    """People click, parts are killed, Slurm freezes, the database is locked or old: all is in order again."""
    chaos = Chaos(faults, seed=11)
    chaos.run(60.0)
    assert not chaos.violations, "\n".join(map(str, chaos.violations))
    assert chaos.counts.total() > 20, chaos.counts
    assert {"start", "cancel", "cell", "kill hub"} <= set(+chaos.counts), chaos.counts


def test_what_is_broken_is_told_with_its_seed(faults: Faults) -> None:
    """A session that ends though nobody ended it is a violation; the storm goes on from an empty site."""
    chaos = Chaos(faults, seed=5, quiet=15.0)
    faults.start_all({("researcher2", ""): LIGHT})
    chaos.look()
    assert not chaos.violations
    faults.slurm("scancel", str(faults.job_of("researcher2")))
    chaos.look()
    told = [str(one) for one in chaos.violations]
    assert any(one.startswith("seed 5: job ") and "nobody ended it" in one for one in told), told
    assert faults.owner("researcher2").session == {}  # type: ignore[union-attr]
