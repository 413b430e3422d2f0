"""What the page offers is what this Slurm takes: each promise is tried with a job beside it."""

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.accounting import SlurmSite, slurm_site
from tests.support.waiting import wait_until

from skiva_hub.pages.charges import charge_cards, waits_for
from skiva_hub.permitted import Permitted
from skiva_hub.site import Environment, Hub, Partition, Site, Slice
from skiva_slurm.reader import SlurmReader
from skiva_spawners import act
from skiva_spawners.acting import Actor
from skiva_spawners.entitlements import Entitlements

pytestmark = pytest.mark.slurm


@pytest.fixture(scope="module")
def slurm() -> Iterator[SlurmSite]:
    """A Slurm with accounting."""
    with slurm_site() as found:
        yield found


@pytest.fixture(scope="module")
def actor(slurm: SlurmSite) -> Actor:
    """The helper as it is installed, called by root instead of by sudo."""
    root = slurm.layout.dir / "helper"
    for place in (root / "etc", root / "libexec"):
        place.mkdir(parents=True)
    program = root / "libexec" / "skiva-act"
    program.write_bytes(Path(act.__file__).read_bytes())
    config = {"bin": "/usr/bin", "env": {"SLURM_CONF": str(slurm.conf)}, "run_dirs": ".local/state/skiva"}
    (root / "etc" / "act.json").write_text(json.dumps(config))
    return Actor(("/usr/sbin/runuser", "-u", "{user}", "--", "/usr/bin/python3", "-I", str(program)))


def _slice(id: str, partition: str, **more: object) -> Slice:  # noqa: A002
    fields = {"id": id, "title": id, "partition": partition, "memory_mb": 128, "isolation": "none"}
    return Slice.model_validate(fields | more)


SITE = Site(
    hub=Hub(api_url="http://127.0.0.1:8081/hub/api"),
    partition=tuple(Partition(name=name) for name in ("gpu", "cpu", "teaching")),
    slice=(
        _slice("free", "gpu"),
        _slice("gpu1", "gpu", qos="gpu1", gres="gpu:1"),
        _slice("tiny", "cpu", qos="tiny"),
        _slice("course", "teaching"),
        _slice("chem", "cpu", account="chem"),
    ),
    environment=(Environment(id="base", title="Base", python=Path(sys.executable)),),
)


class Offered:
    """What each person is offered, asked anew each time."""

    def __init__(self, slurm: SlurmSite, actor: Actor) -> None:
        self.slurm, self.actor = slurm, actor

    async def to(self, name: str) -> Permitted:
        """What one person is offered."""
        reader = SlurmReader(Path("/usr/bin"), self.slurm.env)
        return await Entitlements(reader.rules, self.actor, time.monotonic).look(SITE, name)


@pytest.fixture
def offered(slurm: SlurmSite, actor: Actor) -> Offered:
    """What each person is offered."""
    return Offered(slurm, actor)


def _takes(slurm: SlurmSite, name: str, picked: Slice, account: str) -> bool:
    """Whether Slurm takes a job of theirs on a slice."""
    wish = {"partition": picked.partition, "qos": picked.qos, "gres": picked.gres, "account": account}
    options = [f"--{key}={value}" for key, value in wish.items() if value]
    done = slurm.as_person(name, "/usr/bin/sbatch", "--test-only", "--time=1", *options, stdin="#!/bin/sh\n")
    return done.returncode == 0


async def test_everybody_is_offered_what_slurm_takes_from_them(slurm: SlurmSite, offered: Offered) -> None:
    """For each person, slice and account: it is offered if and only if Slurm takes a job of that kind."""
    seen = set()
    for name in slurm.people:
        allowed = await offered.to(name)
        for picked in SITE.slice:
            for account in ("physics", "chem"):
                if picked.account in (None, account):
                    takes = _takes(slurm, name, picked, account)
                    assert (account in allowed.accounts(picked.id)) == takes, (name, picked.id, account)
                    seen.add((name, takes))
    one, two, three, teacher = slurm.people
    assert seen == {(p, t) for p in (one, two, teacher) for t in (True, False)} | {(three, False)}
    assert (await offered.to(one)).choices == ("physics", "chem")


async def test_who_has_no_association_gets_everything_as_soon_as_there_is_one(
    slurm: SlurmSite, offered: Offered
) -> None:
    """Nothing is offered to a person whom Slurm does not know; one sacctmgr line mends it."""
    name = slurm.people[2]
    assert (await offered.to(name)).unknown
    slurm.sacctmgr(f"add user {name} Account=chem")
    try:
        allowed = await offered.to(name)
        assert [s.id for s in allowed.site.slice] == ["free", "gpu1", "tiny", "chem"]
        assert not allowed.unknown
    finally:
        slurm.sacctmgr(f"delete user {name}")


async def test_a_limit_that_is_in_use_is_told_before_slurm_tells_it(
    slurm: SlurmSite, offered: Offered
) -> None:
    """With the one GPU of QOS gpu1 held, the page says what Slurm says of the next job; to nobody else."""
    one, two, *_ = slurm.people
    wish = ("--account=chem", "--partition=gpu", "--qos=gpu1", "--gres=gpu:1", "--time=5", "--mem=50")
    script = "#!/bin/sh\nexec sleep 300\n"

    def submit() -> str:
        done = slurm.as_person(one, "/usr/bin/sbatch", "--parsable", *wish, stdin=script)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def shown(job: str) -> str:
        return slurm.run("/usr/bin/squeue", "--noheader", f"--jobs={job}", "--format=%T %r").strip()

    assert waits_for((await offered.to(one)).terms["gpu1"]) == ""
    jobs = [submit()]
    try:
        wait_until(lambda: shown(jobs[0]).startswith("RUNNING"), 60, lambda: shown(jobs[0]))
        told = "gpu1 has a limit of 1 GPU at a time, and 1 GPU in use: a session would wait."
        assert waits_for((await offered.to(one)).terms["gpu1"]) == told
        assert waits_for((await offered.to(one)).terms["free"]) == ""
        assert waits_for((await offered.to(two)).terms["gpu1"]) == ""
        jobs.append(submit())
        wait_until(lambda: "QOSMaxGRESPerUser" in shown(jobs[1]), 60, lambda: shown(jobs[1]))
    finally:
        slurm.run("/usr/bin/scancel", *jobs)


async def test_what_is_left_of_a_budget_is_told(slurm: SlurmSite, offered: Offered) -> None:
    """The person's own and a QOS's; an account's only where PrivateData lets people see it."""
    name = slurm.people[1]
    tiny = charge_cards((await offered.to(name)).terms["tiny"])[0]
    assert (tiny.hours, tiny.budget) == (0.02, "0.0167 of 0.0167 core hours left (tiny)")
    slurm.sacctmgr(f"modify user {name} where account=chem set GrpTRESMins=cpu=600")
    slurm.sacctmgr("modify account chem set GrpTRESMins=cpu=60")
    try:
        free = charge_cards((await offered.to(name)).terms["free"])[0]
        assert (free.hours, free.budget) == (10, "10 of 10 core hours left (chem)")
    finally:
        slurm.sacctmgr(f"modify user {name} where account=chem set GrpTRESMins=cpu=-1")
        slurm.sacctmgr("modify account chem set GrpTRESMins=cpu=-1")


async def test_a_database_that_is_away_hides_nothing(slurm: SlurmSite, offered: Offered) -> None:
    """Without slurmdbd nobody knows who may have what: everything is on offer, and Slurm decides."""
    with slurm.without("slurmdbd"):
        allowed = await offered.to(slurm.people[2])
        assert (allowed.site, allowed.unknown) == (SITE, False)
    wait_until(
        lambda: slurm.as_person(slurm.people[0], "/usr/bin/sacctmgr", "-nP", "show", "user").returncode == 0,
        30,
        "slurmdbd answers",
    )
    assert (await offered.to(slurm.people[2])).unknown
