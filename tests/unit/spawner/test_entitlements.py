"""Asking Slurm who may have what: as seldom as it may be, and never longer than a page can wait."""

import asyncio
from typing import Any, cast

import pytest
from tests.fakes.slurm import no_answer
from tests.fakes.waiting import until
from tests.unit.site.test_permitted import SITE
from tests.unit.slurm.test_rights import ANNA, RULES

from skiva_slurm.rights import Rights, Rules
from skiva_spawners import entitlements
from skiva_spawners.entitlements import Entitlements


class Slurm:
    """What is asked, and what is answered, on a clock of its own."""

    def __init__(self) -> None:
        self.now, self.asked, self.rules_asked = 0.0, 0, 0
        self.enforces: Rules = RULES
        self.fail: Exception | None = None
        self.answers = asyncio.Event()
        self.answers.set()
        self.entitlements = Entitlements(self.rules, cast("Any", self), lambda: self.now)

    async def rules(self) -> Rules:
        """What holds for everybody."""
        self.rules_asked += 1
        if self.fail:
            raise self.fail
        return self.enforces

    async def rights(self, account: str, rules: Rules) -> Rights:
        """What holds for one person."""
        assert (account, rules) == ("anna", RULES)
        self.asked += 1
        await self.answers.wait()
        if self.fail:
            raise self.fail
        return ANNA

    async def offered(self) -> int:
        """How many slices a page shows."""
        return len((await self.entitlements.look(SITE, "anna")).site.slice)


async def test_an_answer_serves_many_looks() -> None:
    """Pages that are opened together share one question, and those of the next minute its answer."""
    slurm = Slurm()
    assert set(await asyncio.gather(*(slurm.offered() for _ in range(50)))) == {4}
    slurm.now = 59
    assert (await slurm.offered(), slurm.asked, slurm.rules_asked) == (4, 1, 1)
    slurm.now = 61
    assert (await slurm.offered(), slurm.asked, slurm.rules_asked) == (4, 2, 1)


async def test_nobody_is_asked_where_nothing_is_enforced() -> None:
    """Without accounting no helper is started for it, however often somebody looks."""
    slurm = Slurm()
    slurm.enforces = Rules()
    assert (await slurm.offered(), slurm.asked) == (5, 0)


async def test_a_silent_database_holds_up_no_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """The page opens with everything on offer; the answer counts as soon as it comes."""
    monkeypatch.setattr(entitlements, "_PATIENCE", 0.01)
    slurm = Slurm()
    slurm.answers.clear()
    assert await slurm.offered() == 5
    assert (await slurm.offered(), slurm.asked) == (5, 1), "the next page waits for the same answer"
    slurm.answers.set()
    await until(lambda: len(slurm.entitlements.known(SITE, "anna").site.slice) == 4)


async def test_the_last_answer_holds_while_slurm_gives_no_other() -> None:
    """For an hour: after that it says nothing any more, and everything is on offer."""
    slurm = Slurm()
    assert await slurm.offered() == 4
    slurm.fail, slurm.now = no_answer(), 3500
    assert await slurm.offered() == 4
    slurm.now = 3700
    assert await slurm.offered() == 5


async def test_a_start_waits_only_for_what_is_not_known_at_all() -> None:
    """Whoever starts without having seen the page is asked for once; later starts ask nothing."""
    slurm = Slurm()
    await slurm.entitlements.learn("anna")
    slurm.now = 3000
    await slurm.entitlements.learn("anna")
    assert (slurm.asked, len(slurm.entitlements.known(SITE, "anna").site.slice)) == (1, 4)
    slurm.enforces, slurm.now = Rules(), 4000
    await slurm.offered()
    await slurm.entitlements.learn("bela")
    assert (slurm.asked, slurm.rules_asked) == (1, 2)
