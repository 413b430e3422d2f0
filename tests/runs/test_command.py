"""`skiva submit` and its like, typed by real accounts into a shell that no session has started."""

import json
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.slurm, pytest.mark.skipif(os.geteuid() != 0, reason="acts as other accounts")]

_PROGRAM = """\
import os, sys, beside
print(sys.argv, os.getcwd(), __file__, beside.value, flush=True)
if "--raise" in sys.argv:
    1 / 0
"""


@dataclass(frozen=True)
class Shell:
    """A person's shell with a home of its own, to which a session has once told what the site offers."""

    cluster: Any
    user: str
    home: Path

    def environment(self, **more: str) -> dict[str, str]:
        """What is in it."""
        path = f"{self.cluster.dir}/venv/base/bin:/usr/bin:/bin"
        return {"HOME": str(self.home), "USER": self.user, "LANG": "C.UTF-8", "PATH": path, **more}

    def start(self, words: Sequence[str], **more: str) -> "subprocess.Popen[str]":
        """Start a command."""
        account = pwd.getpwnam(self.user)
        return subprocess.Popen(
            list(words),
            env=self.environment(**more),
            cwd=self.home,
            user=account.pw_uid,
            group=account.pw_gid,
            extra_groups=[],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def skiva(self, *words: str, given: str = "", **more: str) -> tuple[int, str, str]:
        """Run `skiva …`: its exit status, what it printed and what it said."""
        with self.start(["skiva", *words], **more) as process:
            printed, said = process.communicate(given, timeout=150)
        assert "Traceback (most recent call last)" not in said
        return process.returncode, printed, said

    def submit(self, *words: str, given: str = "", **more: str) -> Path:
        """Submit something and wait until it has completed; the run's directory."""
        status, printed, said = self.skiva(
            "submit", "--hours", "0.1", "--json", "--wait", *words, given=given, **more
        )
        assert status == 0, printed + said
        return Path(json.loads(printed)["dir"])

    def write(self, name: str, text: str) -> Path:
        """A file of theirs."""
        path = self.home / name
        path.write_text(text)
        shutil.chown(path, self.user)
        return path

    def jobs(self) -> list[dict[str, Any]]:
        """What `skiva jobs` tells programs."""
        found: list[dict[str, Any]] = json.loads(self.skiva("jobs", "--json")[1])
        return found


def _offer(cluster: Any) -> dict[str, Any]:
    site = tomllib.loads((cluster.dir / "site.toml").read_text())
    slices = [
        {
            **{name: one[name] for name in ("id", "partition", "gres") if one.get(name)},
            "title": one["id"],
            "cores": 1,
            "memory_mb": 300,
        }
        for one in site["slice"]
        if one["id"] in {"cpu", "1g.10gb"}
    ]
    launch = {"python": f"{cluster.dir}/venv/base/bin/python"}
    return {
        "hub": "test",
        "bin": "/usr/bin",
        "conf": cluster.env["SLURM_CONF"],
        "slices": slices,
        "environment": {"id": "base", "title": "", "launch": launch},
    }


@pytest.fixture(scope="module")
def shells(cluster: Any) -> Iterator[dict[str, Shell]]:
    """Two people."""
    made = {}
    for user in ("researcher1", "researcher3"):
        home = Path(tempfile.mkdtemp(prefix="skiva-command-", dir="/var/tmp"))
        place = home / ".local/state/skiva"
        place.mkdir(parents=True)
        (place / "offer.json").write_text(json.dumps(_offer(cluster)))
        for path in (home, *home.rglob("*")):
            shutil.chown(path, user)
        made[user] = Shell(cluster, user, home)
    yield made
    for user, shell in made.items():
        cluster.run_as("root", ["/usr/bin/scancel", f"--user={user}"])
        shutil.rmtree(shell.home)


@pytest.fixture
def shell(shells: dict[str, Shell]) -> Shell:
    """One of them."""
    return shells["researcher1"]


@pytest.fixture
def other(shells: dict[str, Shell]) -> Shell:
    """The other one."""
    return shells["researcher3"]


def test_arguments_arrive_exactly_and_the_shells_variables_by_rule(shell: Shell) -> None:
    """Spaces, line breaks, quotes and dashes; the directory; named variables come, secrets do not."""
    odd = ["a  b", "two\nlines", "$HOME", "'\"", "--hours", "-", "*", "{}", ""]
    program = "import json, os, sys; print(json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]))"
    run = shell.submit(
        *("--env", "MODE=quick", "--env", "NAMED_TOKEN", "--", "python", "-c", program, *odd),
        OMP_NUM_THREADS="3",
        MY_TOKEN="secret",
        NAMED_TOKEN="canary-7",
        OTHER="1",
    )
    argv, cwd, environ = json.loads((run / "log").read_text())
    assert (argv, cwd) == (odd, str(shell.home))
    assert (environ["OMP_NUM_THREADS"], environ["MODE"], environ["NAMED_TOKEN"]) == ("3", "quick", "canary-7")
    assert not {"MY_TOKEN", "OTHER"} & set(environ)
    assert "canary-7" not in (run / "submission.json").read_text() + (run / "spec.json").read_text()


def test_a_python_file_runs_as_it_was_when_it_was_sent_off(shell: Shell) -> None:
    """On this environment's Python, with the modules beside it, although it was edited while it waited."""
    shell.write("beside.py", "value = 5\n")
    train = shell.write("train.py", _PROGRAM)
    blocker = [shell.skiva("submit", "--hours", "0.1", "--tasks", "40", "sleep", "2")[0]]
    status, printed, said = shell.skiva("submit", "--hours", "0.1", "--json", "train.py", "--epochs", "3")
    shell.write("train.py", "print('edited')\n")
    assert (blocker, status) == ([0], 0), said
    run = json.loads(printed)["id"]
    shell.skiva("cancel", shell.jobs()[1]["id"])
    status, printed, _ = shell.skiva("logs", "-f", run)
    assert (status, printed) == (0, f"['train.py', '--epochs', '3'] {shell.home} {train} 5\n")
    listed = [line.split()[:2] for line in shell.skiva("jobs")[1].splitlines()]
    assert listed.count([run, "train.py"]) == 1


def test_what_a_program_says_of_its_end_is_told(shell: Shell) -> None:
    """Exit statuses, exceptions and programs that are not there end the run as failed, and tell why."""
    shell.write("beside.py", "value = 5\n")
    shell.write("train.py", _PROGRAM)
    status, printed, said = shell.skiva("submit", "--hours", "0.1", "--follow", "train.py", "--raise")
    assert status == 1
    assert printed.splitlines()[-1] == "ZeroDivisionError: division by zero"
    assert "It ended with exit status 1." in said
    status, printed, said = shell.skiva("submit", "--hours", "0.1", "--follow", "no-such-program")
    assert status == 1
    assert "is not found here; it is submitted all the same" in said
    assert "no-such-program cannot be run: No such file or directory" in printed
    assert shell.skiva("result", "last")[0] == 1
    assert shell.jobs()[0]["state"] == "failed"


def test_an_array_knows_its_task_and_its_line(shell: Shell) -> None:
    """Each task has its number and its line; running it again repeats those that failed, as themselves."""
    lines = "one\ntwo words\n\n$HOME\n"
    words = 'echo "$SKIVA_TASK $SKIVA_ITEM $SLURM_ARRAY_TASK_ID"; echo "$1"; test "$SKIVA_TASK" != 1'
    status, printed, _ = shell.skiva(
        *(
            "submit",
            "--hours",
            "0.1",
            "--json",
            "--wait",
            "--array",
            "-",
            "--",
            "sh",
            "-c",
            words,
            "x",
            "<{}>",
        ),
        given=lines,
    )
    assert status == 1
    run = json.loads(printed)["id"]
    assert shell.skiva("logs", run)[1].splitlines() == [
        *("== task 0", "0 one 0", "<one>"),
        *("== task 1", "1 two words 1", "<two words>"),
        *("== task 2", "2 $HOME 2", "<$HOME>"),
    ]
    assert shell.skiva("logs", "--task", "1", run)[1] == "1 two words 1\n<two words>\n"
    again = f"import skiva; run = skiva.run({run!r}).rerun(); run.wait(90); print(run.id)"
    with shell.start(["python", "-c", again]) as process:
        repeated = process.communicate(timeout=120)[0].strip()
    assert shell.skiva("logs", repeated)[1] == "== task 0\n1 two words 0\n<two words>\n"


def test_a_program_lives_through_the_warning(shell: Shell) -> None:
    """Slurm's signal before the end does nothing to a program that does not know it."""
    run = shell.submit("sh", "-c", "kill -USR1 $$ $PPID; sleep 1; echo alive")
    assert (run / "log").read_text() == "alive\n"


def test_following_ends_with_ctrl_c_and_the_run_goes_on(shell: Shell) -> None:
    """What was printed until then is there, the exit status is 130, and the run is still running."""
    process = shell.start(
        ["skiva", "submit", "--hours", "0.1", "--follow", "sh", "-c", "echo begun; sleep 300"]
    )
    assert process.stdout is not None
    assert process.stderr is not None
    seen = [process.stdout.readline() for _ in range(2)]
    assert seen[1] == "begun\n"
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=30)[1]
    assert process.returncode == 130
    assert "no longer following" in said
    assert shell.jobs()[0]["state"] == "running"
    assert shell.skiva("result", "last")[0] == 3
    assert shell.skiva("cancel", "last")[0] == 0
    wait_until(lambda: shell.jobs()[0]["state"] == "cancelled", 60, "it is cancelled")


def test_a_second_submission_with_the_same_key_is_the_same_run(shell: Shell) -> None:
    """Typed twice, submitted once."""
    first, second = (shell.submit("--key", "once", "true") for _ in range(2))
    assert first == second


def test_refusals_are_one_sentence(shell: Shell) -> None:
    """A slice that is not there, too many hours: named, and no run is left."""
    before = len(shell.jobs())
    status, _, said = shell.skiva("submit", "--slice", "9g.90gb", "true")
    assert (status, "slice: '9g.90gb' is not among those you may use" in said) == (2, True)
    status, _, said = shell.skiva("submit", "--hours", "8000", "true")
    assert (status, "hours: at most" in said) == (2, True)
    assert len(shell.jobs()) == before


def test_another_account_gets_at_nothing(shell: Shell, other: Shell) -> None:
    """Neither by the run's id, nor by its directory, nor by its job: it can see, read and end nothing."""
    _, printed, _ = shell.skiva("submit", "--hours", "0.1", "--json", "sh", "-c", "echo mine; sleep 300")
    told = json.loads(printed)
    wait_until(lambda: shell.skiva("logs", told["id"])[1] == "mine\n", 60, "it runs")
    theirs = {"SKIVA_RUNS": str(shell.home / "skiva-runs")}
    for words in (("logs", told["id"]), ("cancel", told["id"]), ("result", told["id"]), ("logs", "last")):
        for more in ({}, theirs):
            status, printed, said = other.skiva(*words, **more)
            assert status == 1
            assert "mine" not in printed + said
    assert told["id"] in "".join(map(str, shell.skiva("jobs", "--json", **theirs)))
    assert told["id"] not in "".join(map(str, other.skiva("jobs", "--json", **theirs)))
    forged = other.home / "skiva-runs" / told["id"]
    forged.mkdir(parents=True)
    spec = json.loads((Path(told["dir"]) / "spec.json").read_text())
    for name, values in (("spec.json", spec), ("submission.json", {"job_id": told["job_id"], "at": 1.0})):
        (forged / name).write_text(json.dumps(values))
    for path in (forged.parent, forged, *forged.iterdir()):
        shutil.chown(path, other.user)
    status, printed, said = other.skiva("cancel", told["id"])  # Slurm itself says no
    assert (status, f"Slurm does not let you end job {told['job_id']}" in said) == (1, True), printed + said
    assert shell.cluster.job_state(told["job_id"]) == "RUNNING"
    assert shell.skiva("cancel", told["id"])[0] == 0
    shell.cluster.wait_state(told["job_id"], "CANCELLED", "COMPLETING", "FAILED", seconds=60)
