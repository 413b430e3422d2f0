"""The Slurm of these tests is what sites have: projects, limits, privacy, a plugin with words of its own."""

from collections.abc import Iterator

import pytest
from tests.support.accounting import LUA_WORDS, SlurmSite, slurm_site

pytestmark = pytest.mark.slurm


@pytest.fixture(scope="module")
def site() -> Iterator[SlurmSite]:
    """A Slurm with accounting."""
    with slurm_site() as found:
        yield found


def _submit(site: SlurmSite, name: str, *options: str) -> str:
    """The job's number, or why there is none."""
    script = "#!/bin/sh\nexec sleep 60\n"
    done = site.as_person(name, "/usr/bin/sbatch", "--parsable", *options, stdin=script)
    return (done.stdout if done.returncode == 0 else done.stderr).strip()


def test_jobs_need_a_project_a_right_and_what_is_left_of_a_budget(site: SlurmSite) -> None:
    """Each refusal has the words of what refused, and beside it a job that differs in that alone is taken."""
    both, one, none, _ = site.people
    assert LUA_WORDS in _submit(site, both, "-p", "gpu")
    assert _submit(site, both, "-p", "gpu", "-A", "chem").isdigit()
    assert "Invalid account" in _submit(site, none, "-p", "gpu", "-A", "chem")
    assert "Invalid account" in _submit(site, one, "-p", "teaching", "-A", "chem")
    assert _submit(site, both, "-p", "teaching", "-A", "physics").isdigit()
    assert "QOSGrpCPUMinutesLimit" in _submit(site, one, "-p", "gpu", "-A", "chem", "-q", "tiny")
    assert "QOSMaxGRESPerUser" in _submit(site, one, "-p", "gpu", "-A", "chem", "-q", "gpu1", "--gpus=2")
    assert _submit(site, one, "-p", "gpu", "-A", "chem", "-q", "gpu1", "--gpus=1").isdigit()


def test_only_operators_see_the_jobs_of_others(site: SlurmSite) -> None:
    """PrivateData hides a person's job from other people, and from the hub that is no operator any more."""
    job = _submit(site, site.people[0], "-p", "cpu", "-A", "physics")
    look = ("/usr/bin/squeue", "--noheader", "--format=%i")

    def seen_by(name: str) -> list[str]:
        return site.run("/usr/sbin/runuser", "-u", name, "--", *look).split()

    assert job in seen_by(site.people[0])
    assert job not in seen_by(site.people[1])
    assert job in seen_by(site.accounts.hub)
    site.sacctmgr(f"modify user {site.accounts.hub} set AdminLevel=None")
    assert job not in seen_by(site.accounts.hub)
    site.sacctmgr(f"modify user {site.accounts.hub} set AdminLevel=Operator")
    assert job in seen_by(site.accounts.hub)


def test_jobs_are_taken_while_the_database_is_away(site: SlurmSite) -> None:
    """slurmctld knows limits by itself, and slurmdbd comes back."""
    with site.without("slurmdbd"):
        assert _submit(site, site.people[0], "-p", "gpu", "-A", "chem").isdigit()
        assert "Invalid account" in _submit(site, site.people[2], "-p", "gpu", "-A", "chem")
