"""A person's runs are nobody else's: not over their server, not on the disk, not by way of Slurm."""

import pwd
import shutil
import stat
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.support.kernel import run_code
from tests.support.runs_on_disk import lay
from tests.support.sessions import Session
from tests.support.waiting import wait_until

_CODE = """
import skiva, time
def work():
    print("<script>alert(1)</script>", flush=True)
    time.sleep(600)
made = skiva.submit(work, slice="cpu", hours=0.2, env={"MY_SECRET": "of-the-run"})
print(made.id)
"""
_ADDRESSES = (
    ("GET", "runs"),
    ("POST", "runs"),
    ("GET", "runs/offer"),
    ("POST", "runs/drafts"),
    ("GET", "runs/{}"),
    ("DELETE", "runs/{}"),
    ("GET", "runs/{}/log"),
    ("GET", "runs/{}/tasks"),
    ("POST", "runs/{}/cancel"),
    ("POST", "runs/{}/again"),
    ("POST", "runs/{}/restore"),
)


def _told(session: Session, run: str) -> dict[str, Any]:
    """A run as its owner's server tells it."""
    return dict(session.ask("GET", f"skiva/runs/{run}").raise_for_status().json())


def _home(user: str) -> Path:
    return Path(pwd.getpwnam(user).pw_dir)


def _give(place: Path, user: str) -> None:
    for path in (place, *place.iterdir()):
        shutil.chown(path, user, user)


@pytest.fixture(scope="module")
def run(victim: Session) -> Iterator[dict[str, Any]]:
    """A run of the victim's that prints and goes on."""
    made = run_code(f"{victim.url}{victim.prefix}", victim.token, _CODE).strip()
    try:
        wait_until(lambda: "script" in _told(victim, made)["tail"], 60, "what the run prints")
        yield _told(victim, made)
    finally:
        victim.ask("POST", f"skiva/runs/{made}/cancel", json={})


def test_no_address_answers_another_person(run: dict[str, Any], victim: Session, intruder: Session) -> None:
    """Whatever they bring along, 403 and nothing is done; the owner's list has the run as before."""
    answered = []
    tokens = (None, intruder.token, intruder.job_token)
    for where, token, (verb, path) in product((victim.url, victim.node_url), tokens, _ADDRESSES):
        headers = {"Authorization": f"token {token}"} if token else {}
        address = f"{where}{victim.prefix}skiva/{path.format(run['id'])}"
        body = b"{}" if verb == "POST" else None
        with httpx.Client(timeout=60, trust_env=False, verify=victim.tls) as client:
            answer = client.request(verb, address, headers=headers, content=body)
        if answer.status_code != 403:
            answered.append(f"{verb} {path}: {answer}")
    assert answered == []
    for verb, path in _ADDRESSES:
        # Nobody is refused for what is asked: of a run that there is not, or a body that says nothing.
        answer = victim.ask(verb, f"skiva/{path.format('261122-nosuchxx')}", content=b"[]")
        assert answer.status_code in {200, 400, 404}, (verb, path, answer)
    listed = victim.ask("GET", "skiva/runs").json()["runs"]
    assert [one["life"] for one in listed if one["id"] == run["id"]] == ["running"]


def test_nothing_of_a_run_can_be_read_on_the_disk(
    cluster: Any, run: dict[str, Any], victim: Session, intruder: Session
) -> None:
    """Neither the list of runs nor a file of one, which may hold data and secrets that were named."""
    root = _home(victim.user) / "skiva-runs"
    for place in (root, root / run["id"]):
        assert stat.S_IMODE(place.stat().st_mode) == 0o700
    files = list((root / run["id"]).glob("*.*"))
    assert {path.name for path in files} >= {"env.json", "spec.json", "call.pkl"}
    for place in files:
        assert stat.S_IMODE(place.stat().st_mode) == 0o600, place
    for path in (root, root / run["id"], root / run["id"] / "log", root / run["id"] / "env.json"):
        argv = ["/usr/bin/cat" if path.is_file() else "/usr/bin/ls", str(path)]
        assert "Permission denied" in cluster.run_as(intruder.user, argv).stderr
        assert cluster.run_as(victim.user, argv).stdout, path


def test_no_secret_is_in_what_the_page_is_told(run: dict[str, Any], victim: Session) -> None:
    """Variables that were named for a run stay in its private file; so do the session's tokens."""
    assert "of-the-run" in (_home(victim.user) / "skiva-runs" / run["id"] / "env.json").read_text()
    told = victim.ask("GET", f"skiva/runs/{run['id']}")
    listed = victim.ask("GET", "skiva/runs")
    for secret in ("of-the-run", victim.job_token, victim.token):
        assert secret not in told.text + listed.text
    queue = victim.run_dir / "queue.json"
    assert (stat.S_IMODE(queue.stat().st_mode), queue.stat().st_uid) == (
        0o600,
        pwd.getpwnam(victim.user).pw_uid,
    )
    assert victim.job_token not in queue.read_text()


def test_what_a_run_prints_is_never_a_page(run: dict[str, Any], victim: Session) -> None:
    """It is text in JSON, which no browser takes for HTML, whatever it looks like."""
    for path in (f"skiva/runs/{run['id']}", f"skiva/runs/{run['id']}/log"):
        answer = victim.ask("GET", path)
        assert "<script>alert(1)</script>" in answer.text
        assert answer.headers["Content-Type"].startswith("application/json")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


def test_a_planted_job_number_ends_nobodys_job(
    run: dict[str, Any], victim: Session, intruder: Session
) -> None:
    """A run of the intruder's that names the victim's job is cancelled as the intruder: Slurm refuses."""
    assert _told(victim, run["id"])["state"] == "running"
    root = _home(intruder.user) / "skiva-runs"
    planted = lay(root, "261122-plantedx", end=None, job_id=run["job_id"])
    _give(planted, intruder.user)
    shutil.chown(root, intruder.user, intruder.user)
    try:
        answer = intruder.ask("POST", "skiva/runs/261122-plantedx/cancel", json={})
    finally:
        shutil.rmtree(planted)
    assert answer.status_code == 409, answer.text
    assert answer.json()["message"].startswith(f"Slurm does not let you end job {run['job_id']}")
    assert _told(victim, run["id"])["state"] == "running"


def test_a_run_in_anothers_name_is_not_shown(victim: Session, intruder: Session) -> None:
    """A directory that somebody else owns, or a link to one, is no run of this person's."""
    root, name = _home(victim.user) / "skiva-runs", "261122-foreignx"
    if not root.exists():  # theirs, as their first run would make it
        root.mkdir(0o700)
        shutil.chown(root, victim.user, victim.user)
    place, elsewhere = lay(root, name), root.with_name("elsewhere")
    _give(place, intruder.user)

    def is_hidden() -> bool:
        shown = [one["id"] for one in victim.ask("GET", "skiva/runs").json()["runs"]]
        return name not in shown and victim.ask("GET", f"skiva/runs/{name}").status_code == 404

    try:
        assert is_hidden()
        place.rename(elsewhere)
        _give(elsewhere, victim.user)
        place.symlink_to(elsewhere)
        assert is_hidden()
        place.unlink()
        elsewhere.rename(place)  # the same files, their own and no link, are a run of theirs
        assert not is_hidden()
        assert victim.ask("GET", f"skiva/runs/{name}").status_code == 200
    finally:
        place.unlink() if place.is_symlink() else shutil.rmtree(place, ignore_errors=True)
        shutil.rmtree(elsewhere, ignore_errors=True)
