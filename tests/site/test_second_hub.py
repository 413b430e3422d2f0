"""A second hub beside the one that people use, and an update that is taken back, by the manual's lines."""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.support.hub import HubClient
from tests.support.installed_site import TOKEN_LINES, InstalledSite, installed_site, type_lines
from tests.support.manual import block, commands
from tests.support.units import Unit
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.slurm, pytest.mark.skipif(os.geteuid() != 0, reason="only root can install a site")]

_RUN, _TRYING = "operators/run.md", "A second hub for trying things"
_PERSON = "researcher1"
_TRIAL = Path("/etc/skiva-trial")


@pytest.fixture(scope="module")
def site() -> Iterator[InstalledSite]:
    """A site on which the manual has been followed."""
    with installed_site() as found:
        yield found


@pytest.fixture
def trial(site: InstalledSite) -> Iterator[HubClient]:
    """The manual's second hub there, without a web server."""
    environment = Path("/opt/skiva/trial")
    environment.mkdir()
    subprocess.run(["/usr/bin/mount", "--bind", "/opt/skiva/hub", str(environment)], check=True)
    *lines, last = commands(_RUN, _TRYING)
    assert last == "systemctl enable --now skiva-trial-proxy skiva-trial-hub"
    type_lines(lines)
    (_TRIAL / "environment").write_text(block(_RUN, _TRYING, ""))
    url = "http://127.0.0.1:8100"
    own = block(_RUN, _TRYING, "toml").replace("https://trial.example.org", url)
    text = (_TRIAL / "site.toml").read_text()
    _, theirs, rest = text.partition(f"api_url = {json.dumps(f'{site.url}/hub/api')}\n")
    assert theirs
    (_TRIAL / "site.toml").write_text(f"[hub]\n{own}{rest}")
    config = _TRIAL / "jupyterhub_config.py"
    config.write_text(f"{config.read_text()}\n{TOKEN_LINES}")
    log = site.log.with_name("trial.log")
    with ExitStack() as ending:
        for name in ("skiva-trial-proxy", "skiva-trial-hub"):
            unit = Unit(name, log)
            ending.callback(unit.stop)
            unit.start()
        hub = ending.enter_context(HubClient(url, site.token))
        wait_until(lambda: hub.is_up() or not unit.alive(), 60, lambda: log.read_text()[-3000:])
        assert unit.alive(), log.read_text()[-3000:]
        yield hub


def _jobs(site: InstalledSite) -> str:
    return site.slurm.run("/usr/bin/squeue", "-h", "-u", _PERSON, "-o", "%T %k")


def test_a_second_hub_lives_beside_the_first(site: InstalledSite, trial: HubClient) -> None:
    """The same person has a session of each; neither hub touches the other's, nor what it keeps."""
    hubs = (site.hub, trial)
    for hub in hubs:
        hub.start_server(_PERSON, {"slice": "cpu", "hours": 1})
    jobs = [hub.wait_ready(_PERSON, 120)["state"]["session"]["job_id"] for hub in hubs]
    assert _jobs(site).count(":trial:") == 1
    first, second = (path.stat() for path in map(Path, ("/var/lib/skiva-hub", "/var/lib/skiva-trial-hub")))
    assert first.st_uid != second.st_uid
    assert (first.st_mode & 0o777, second.st_mode & 0o777) == (0o700, 0o700)
    trial.stop_server(_PERSON)
    trial.wait_stopped(_PERSON, 60)
    wait_until(lambda: ":trial:" not in _jobs(site), 30, "the trial's job is gone")
    assert _jobs(site).startswith("RUNNING")
    for job, log in zip(jobs, (site.log.with_name("trial.log"), site.log), strict=True):
        assert f"knows: {job}." not in log.read_text()
    assert site.hub.wait_ready(_PERSON, 10)["state"]["session"]["job_id"] == jobs[0]
    site.close(_PERSON)


def test_an_update_is_taken_back(site: InstalledSite) -> None:
    """A session from before it is the hub's again; one from after it goes on, told of and left alone."""
    # What is at /opt/skiva/hub belongs to all tests.
    environment = Path("/opt/elsewhere/hub")
    environment.mkdir(parents=True)
    typed = [line.replace("/opt/skiva/", "/opt/elsewhere/") for line in commands(_RUN, "Updates")]
    keep, back = typed[:3], typed[3:]
    assert [lines[0].split()[:2] for lines in (keep, back)] == [["systemctl", "stop"]] * 2
    site.hub.start_server(_PERSON, {"slice": "cpu", "hours": 1})
    before = site.hub.wait_ready(_PERSON, 120)["state"]["session"]["job_id"]
    site.type_lines(keep)
    (environment / "new").touch()
    site.type_lines(["systemctl start skiva-hub"])
    site.hub.start_server(_PERSON, {"slice": "cpu", "hours": 1}, "later")
    after = site.hub.wait_ready(_PERSON, 120, "later")["state"]["session"]["job_id"]
    site.type_lines(back)
    assert not (environment / "new").exists()
    assert site.hub.wait_ready(_PERSON, 60)["state"]["session"]["job_id"] == before
    told = f"belong to no session that it knows: {after}. "
    wait_until(lambda: told in site.log.read_text(), 60, "the later job is told of")
    assert len(_jobs(site).splitlines()) == 2
    site.close(_PERSON)
    site.slurm.run("/usr/bin/scancel", str(after))
