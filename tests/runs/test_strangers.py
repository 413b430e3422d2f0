"""Somebody else's runs, a full disk, and secrets: what may not be reached, hidden or seen."""

import os
import pwd
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.support.run_owner import RunOwner, run_owner
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.slurm, pytest.mark.skipif(os.geteuid() != 0, reason="acts as other accounts")]

_CANARY, _NAMED = "canary-2f9c-session", "canary-8d1e-named"
_WAITS = "def waits(): time.sleep(600)\n"


@pytest.fixture(scope="module")
def owner(cluster: object) -> Iterator[RunOwner]:
    """A researcher with an offer."""
    with run_owner(cluster, "researcher1") as made:
        yield made


@pytest.fixture(scope="module")
def stranger(cluster: object) -> Iterator[RunOwner]:
    """Another one."""
    with run_owner(cluster, "researcher3") as made:
        yield made


@pytest.fixture(scope="module")
def run(owner: RunOwner) -> str:
    """A run of the first one's that runs for long, from a session with secrets."""
    secret = {
        "JUPYTERHUB_API_TOKEN": _CANARY,
        "HF_TOKEN": _CANARY,
        "MY_KEY": _NAMED,
        "SSH_AUTH_SOCK": _CANARY,
    }
    code = f"{_WAITS}told = skiva.submit(waits, name='mine', env=['MY_KEY']).id"
    made = str(owner.do(code, env=secret))
    wait_until((owner.runs / made / "state.jsonl").exists, 60, "it runs")
    return made


def test_nobody_else_reads_a_run(owner: RunOwner, stranger: RunOwner, run: str) -> None:
    """Neither its directory nor anything in it, though the path is known."""
    directory = owner.runs / run
    for path in (owner.runs, directory, *directory.iterdir()):
        program = ["/usr/bin/ls" if path.is_dir() else "/usr/bin/cat", str(path)]
        done = owner.cluster.run_as(stranger.name, program)
        assert "Permission denied" in done.stderr, path
    modes = {path.name: path.stat().st_mode & 0o777 for path in directory.iterdir() if path.name != "log"}
    assert set(modes.values()) == {0o600}, modes
    assert directory.stat().st_mode & 0o777 == owner.runs.stat().st_mode & 0o777 == 0o700


def test_nobody_ends_a_job_of_somebody_else(owner: RunOwner, stranger: RunOwner, run: str) -> None:
    """A submission that names another's job, and a job with another's mark: Slurm's no is told, in words."""
    job = owner.job_of(run)
    told = stranger.do(
        f"{_WAITS}from skiva_slurm.errors import Refused\n"
        "r = skiva.submit(waits)\n"
        "path = r.directory / 'submission.json'\n"
        f"path.write_text(json.dumps(json.loads(path.read_text()) | {{'job_id': {job}}}))\n"
        "try: skiva.run(r.id).cancel(); told = 'ended'\n"
        "except Refused as e: told = [str(e), (r.directory / 'cancel.json').exists()]"
    )
    assert told[0].startswith(f"Slurm does not let you end job {job}: ")
    assert told[1] is False
    assert owner.state(run) == "running"


def test_a_job_with_the_mark_of_a_run_of_somebody_else_is_not_theirs(
    owner: RunOwner, stranger: RunOwner, run: str
) -> None:
    """A stranger's job that says it belongs to a run changes nothing about that run."""
    forged = stranger.cluster.submit(
        stranger.name,
        *("--partition=cpu", "--mem=50", "--output=/dev/null", "--hold", f"--comment=skiva-run:{run}"),
        script="true",
    )
    (owner.runs / run / "submission.json").rename(owner.place / "kept")
    try:
        told = owner.do(f"s = skiva.run({run!r}).status; told = [s.state, s.job_id]")
    finally:
        (owner.place / "kept").rename(owner.runs / run / "submission.json")
        stranger.slurm("scancel", str(forged))
    assert told == ["running", owner.job_of(run)]


def test_a_log_that_is_a_link_is_not_followed(owner: RunOwner, run: str) -> None:
    """Reading a log never leads to another file."""
    log = owner.runs / run / "log"
    log.rename(log.with_name("old"))
    log.symlink_to("/etc/passwd")
    try:
        assert owner.do(f"told = skiva.run({run!r}).logs()") == ""
    finally:
        log.unlink()
        log.with_name("old").rename(log)


def test_a_directory_that_others_can_write_to_gets_no_runs(owner: RunOwner) -> None:
    """One sentence with the cure, nothing written, and nothing listed from there."""
    shared = owner.place / "shared"
    shared.mkdir()
    owner.give(shared)
    shared.chmod(0o777)
    told = owner.do(
        "told = []\n"
        "for work in (lambda: skiva.submit(pow, 2, 3), skiva.jobs):\n"
        "    try: work()\n"
        "    except ValueError as e: told.append(str(e))",
        env={"SKIVA_RUNS": str(shared)},
    )
    assert len(told) == 2
    assert all(f"run `chmod go-w {shared}`" in words for words in told)
    assert list(shared.iterdir()) == []


def test_no_secret_is_seen_where_others_look(owner: RunOwner, run: str) -> None:
    """Not in the queue, the job's description, its script, a command line; what was named is in one file."""
    job = str(owner.job_of(run))
    seen = [
        owner.cluster.run_as("root", argv).stdout
        for argv in (
            ["/usr/bin/squeue", "-a", "-o", "%all"],
            ["/usr/bin/scontrol", "-d", "show", "job", job],
            ["/usr/bin/scontrol", "write", "batch_script", job, "-"],
            ["/usr/bin/ps", "axww", "-o", "args"],
        )
    ]
    # What is no secret, the run's id, is in each of them.
    assert all(run in text for text in seen)
    sinks = [*(owner.cluster.dir / "log").glob("*.log"), *(owner.runs / run).iterdir()]
    for path in sinks:
        found = path.read_bytes()
        assert _CANARY.encode() not in found, path
        assert (_NAMED.encode() in found) == (path.name == "env.json"), path
    for text in seen:
        assert _CANARY not in text
        assert _NAMED not in text
    state = owner.cluster.dir / "slurm" / "state"
    kept = [path.read_bytes() for path in state.rglob("*") if path.is_file()]
    assert any(run.encode() in content for content in kept), "the job is among what Slurm keeps"
    assert not any(b"canary-" in content for content in kept)


def test_the_job_sees_what_was_named_and_no_more(owner: RunOwner, run: str) -> None:
    """The environment of the job's processes has the named variable; nothing of the session."""
    pid = _pid_in(owner, run)
    environ = Path(f"/proc/{pid}/environ").read_bytes()
    assert _CANARY.encode() not in environ
    told = owner.do(
        "names = ('MY_KEY', 'HF_TOKEN', 'JUPYTERHUB_API_TOKEN')\n"
        "told = skiva.submit(lambda: [os.environ.get(n) for n in names], env=['MY_KEY']).result(60)",
        env={"MY_KEY": _NAMED, "HF_TOKEN": _CANARY, "JUPYTERHUB_API_TOKEN": _CANARY},
    )
    assert told == [_NAMED, None, None]


def _pid_in(owner: RunOwner, run: str) -> int:
    done = owner.cluster.run_as("root", ["/usr/bin/pgrep", "-f", f"skiva.runs.work .*{run}"])
    return int(done.stdout.split()[0])


@contextmanager
def _small_disk(owner: RunOwner, kib: int) -> Iterator[Path]:
    """A file system of little room that is theirs."""
    account = pwd.getpwnam(owner.name)
    place = owner.place / f"disk-{kib}"
    place.mkdir()
    mine = f"size={kib}k,mode=0700,uid={account.pw_uid},gid={account.pw_gid}"
    subprocess.run(["/usr/bin/mount", "-t", "tmpfs", "-o", mine, "tmpfs", place], check=True)
    try:
        yield place
    finally:
        subprocess.run(["/usr/bin/umount", "--lazy", place], check=True)


def test_a_submission_onto_a_full_disk_leaves_nothing(owner: RunOwner) -> None:
    """It fails with the disk's word, without a job and without half a run."""
    with _small_disk(owner, 64) as disk:
        told = owner.do(
            "try: skiva.submit(len, bytes(200_000)); told = 'sent'\nexcept OSError as e: told = str(e)",
            env={"SKIVA_RUNS": str(disk)},
        )
        assert "No space left on device" in told
        assert list(disk.iterdir()) == []


def test_a_run_whose_disk_fills_up_ends_as_what_it_is(owner: RunOwner) -> None:
    """It cannot write its result, nor why: Slurm's word is told, and it is no success."""
    with _small_disk(owner, 256) as disk:
        fill = (
            "def fills(path):\n"
            "    with open(path, 'wb', buffering=0) as file:\n"
            "        try:\n"
            "            while file.write(bytes(512)): pass\n"
            "        except OSError: pass\n"
            "    return bytes(5000)\n"
        )
        told = owner.do(
            f"{fill}r = skiva.submit(fills, {str(disk / 'ballast')!r}); s = r.wait(60)\n"
            "told = [s.state, s.sentence, len(skiva.jobs())]",
            env={"SKIVA_RUNS": str(disk)},
        )
    assert told[0] in {"failed", "killed"}, told
    assert told[1]
    assert told[2] == 1
