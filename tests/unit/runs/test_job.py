"""The job's main process: what it writes down, what it never begins, and when the run goes on elsewhere."""

import json
import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cloudpickle
import pytest
from tests.fakes.slurm import FakeSlurm
from tests.support.runs_on_disk import lay, note, reading, run_id, write
from tests.support.waiting import wait_until

from skiva.runs import requeue as requeue_module
from skiva.runs import work as work_module
from skiva.runs.journal import Journal
from skiva.runs.look import look, read_spec
from skiva.runs.paths import RunDir
from skiva.runs.queue import QueueJob
from skiva.runs.requeue import requeue
from skiva.runs.spec import Spec
from skiva.runs.status import Status
from skiva.runs.work import Watch, main

_UNTIL_WARNED = """
def it(here):
    import pathlib, time, skiva
    with skiva.checkpoint(every=1000) as state:
        state["jobs"] = state.get("jobs", 0) + 1
        pathlib.Path(here).touch()
        while not skiva.this_run().restarts:
            time.sleep(0.01)
            state.save()
        return state["jobs"], state.restored
"""


class Job:
    """One run's directory, and the main process of its job."""

    def __init__(self, tmp_path: Path, **spec: Any) -> None:
        self.slurm = FakeSlurm(tmp_path / "slurm")
        bin_directory = {"slurm_bin": str(self.slurm.bin)}
        known: dict[str, Any] = {"kind": "command", "cwd": str(tmp_path), "environment": bin_directory}
        self.run = RunDir(lay(tmp_path, run_id(1), end=None, **(known | spec)))
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, restarts: int = 0) -> None:
        """Begin it, as Slurm does."""
        facts = {"SLURM_JOB_ID": "7", "SLURM_RESTART_COUNT": str(restarts), "SLURMD_NODENAME": "n1"}
        env = {**os.environ, **facts, "PYTHONPATH": ":".join(filter(None, sys.path))}
        argv = [sys.executable, "-m", "skiva.runs.work", str(self.run.path)]
        with self.run.log().open("ab") as log:
            self.process = subprocess.Popen(
                argv, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )

    def tell(self, number: signal.Signals) -> None:
        """Send the main process a signal, as Slurm does."""
        assert self.process is not None
        self.process.send_signal(number)

    def ends(self) -> int:
        """Its exit status."""
        assert self.process is not None
        return self.process.wait(30)

    def wrote(self, event: str) -> dict[str, Any]:
        """The last line of the journal, which comes to be of this kind."""
        wait_until(lambda: self.events()[-1:] == [event], 20, lambda: f"{event}: {self.journal()}")
        return self.journal()[-1]

    def journal(self) -> list[dict[str, Any]]:
        """What it has written down."""
        if not self.run.journal.exists():
            return []
        return [json.loads(line) for line in self.run.journal.read_text().splitlines()]

    def events(self) -> list[str]:
        """The same in short."""
        return [line["event"] for line in self.journal()]

    def status(self, *queue: QueueJob) -> Status:
        """What its owner is told, where Slurm speaks of these jobs, or of none and so is not asked."""
        return look(self.run, read_spec(self.run), reading(*queue) if queue else None)


@pytest.fixture
def job(tmp_path: Path) -> Iterator[Callable[..., Job]]:
    """Makes a job, which is ended after the test."""
    made: list[Job] = []

    def new(*argv: str, **spec: Any) -> Job:
        made.append(Job(tmp_path, argv=argv, **spec))
        return made[-1]

    yield new
    for one in made:
        if one.process is not None and one.process.poll() is None:
            one.process.kill()
            one.process.wait()


def _waits(restarts: int) -> QueueJob:
    return QueueJob(job_id=7, state="PENDING", restarts=restarts)


def test_a_warned_block_is_left_and_the_run_goes_on_from_it(tmp_path: Path, job: Callable[..., Job]) -> None:
    """Slurm warns: the state is saved, the block left, the job put back, and the run not told as over."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec(_UNTIL_WARNED, namespace)  # noqa: S102
    it = job(kind="function", restarts=1)
    it.run.call.write_bytes(cloudpickle.dumps((namespace["it"], (str(tmp_path / "here"),), {})))
    it.start()
    wait_until((tmp_path / "here").exists, 20, "the block is entered")
    it.tell(signal.SIGUSR1)
    assert "goes on from what it saved" in it.wrote("requeued")["sentence"]
    wait_until(lambda: it.slurm.calls("scontrol"), 20, "Slurm is asked to put it back")
    assert it.slurm.calls("scontrol") == [["requeue", "7"]]
    assert it.events() == ["started", "warned", "requeued"]
    assert it.status().state == it.status(_waits(restarts=1)).state == "requeued"
    it.tell(signal.SIGTERM)
    assert it.ends() == 0
    it.start(restarts=1)
    assert it.ends() == 0
    assert pickle.loads(it.run.result.read_bytes()) == (2, True)  # noqa: S301
    assert (it.status().state, it.status().restarts) == ("completed", 1)


@pytest.mark.parametrize(
    ("program", "restarts", "last", "how", "asked"),
    [
        ("exit 0", 0, "ended", "completed", False),
        ("exit 3", 1, "ended", "failed", False),
        ("kill -SEGV $$", 1, "ended", "killed", False),
        ("exit 75", 0, "ended", "time_limit", False),
        ("exit 75", 1, "requeued", "", True),
    ],
)
def test_only_a_program_that_asks_for_it_goes_on_and_only_where_it_may(
    job: Callable[..., Job], program: str, restarts: int, last: str, how: str, asked: bool
) -> None:
    """Exit status 75 puts the job back while there are restarts left; every other end is one."""
    it = job("sh", "-c", program, restarts=restarts)
    it.start()
    line = it.wrote(last)
    if last == "requeued":
        wait_until(lambda: it.slurm.calls("scontrol"), 20, "Slurm is asked to put it back")
        it.tell(signal.SIGTERM)
    assert it.ends() == (0 if how in {"completed", ""} else 1)
    assert line.get("how", "") == how
    assert bool(it.slurm.calls("scontrol")) == asked
    assert it.status().over == (last == "ended")


@pytest.mark.parametrize(
    ("cancelled", "warned", "restarts", "event", "how", "told"),
    [
        (True, False, 1, "ended", "cancelled", "cancelled"),
        (True, True, 1, "ended", "cancelled", "cancelled"),
        (False, True, 1, "interrupted", "time_limit", "requeued"),
        (False, True, 0, "ended", "time_limit", "time_limit"),
        (False, False, 0, "interrupted", "cancelled", "requeued"),
    ],
)
def test_a_job_that_slurm_ends_is_over_only_where_nothing_can_follow(
    tmp_path: Path, job: Callable[..., Job], *, cancelled: bool, warned: bool, restarts: int, event: str,
    how: str, told: str,
) -> None:  # fmt: skip
    """With restarts left, and wherever Slurm knows better why, it is interrupted and not told as over."""
    it = job("sh", "-c", f"touch {tmp_path}/here; exec sleep 60", restarts=restarts)
    it.start()
    wait_until((tmp_path / "here").exists, 20, "the program runs")
    if cancelled:
        write(it.run.cancel, {"at": 0.0})
    if warned:
        it.tell(signal.SIGUSR1)
        it.wrote("warned")
    it.tell(signal.SIGTERM)
    assert it.ends() == 1
    assert (it.wrote(event)["how"], it.status().state) == (how, told)
    assert it.status(_waits(restarts=1)).over == (event == "ended")


@pytest.fixture
def own_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What the main process changes of the process that it is, is as it was afterwards."""
    mask, umask = signal.pthread_sigmask(signal.SIG_BLOCK, ()), os.umask(0o022)
    for name in ("SKIVA_RUN", "SLURM_JOB_ID", "SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID"):
        monkeypatch.setenv(name, "")
    yield
    os.umask(umask)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)


@pytest.mark.parametrize(
    ("there", "restarts", "wrote", "status"),
    [
        ("ended", 9, [], 0),
        ("result", 0, ["completed"], 0),
        ("cancel", 9, ["cancelled"], 1),
        ("begun once", 0, ["not_restarted"], 1),
        ("begun twice", 1, ["not_restarted"], 1),
    ],
)
def test_what_must_not_run_is_not_begun(
    own_process: None, job: Callable[..., Job], there: str, restarts: int, wrote: list[str], status: int
) -> None:
    """A job that Slurm starts once too often, after its end or a cancel, writes why and begins nothing."""
    it = job("touch", "begun", restarts=restarts)
    match there:
        case "ended":
            note(it.run.path, "ended", how="failed")
        case "result":
            it.run.result.write_bytes(b"")
        case "cancel":
            write(it.run.cancel, {"at": 0.0})
        case _:
            for _ in range(1 + (there == "begun twice")):
                note(it.run.path, "started")
    before = len(it.journal())
    assert main([str(it.run.path)]) == status
    assert [line["how"] for line in it.journal()[before:]] == wrote


def test_a_job_that_may_begin_again_does(tmp_path: Path, job: Callable[..., Job]) -> None:
    """The other side of the last: with a restart left the second job runs, and is the last one."""
    it = job("touch", "begun", restarts=1)
    note(it.run.path, "started")
    it.start(restarts=1)
    assert it.ends() == 0
    assert it.events() == ["started", "started", "ended"]
    assert (tmp_path / "begun").exists()


@pytest.mark.parametrize(
    ("tasks", "facts", "which"),
    [
        (None, {"SLURM_JOB_ID": "7"}, "7"),
        (3, {"SLURM_JOB_ID": "9", "SLURM_ARRAY_JOB_ID": "7", "SLURM_ARRAY_TASK_ID": "2"}, "7_2"),
    ],
)
def test_slurm_is_asked_to_put_back_this_job_alone(
    job: Callable[..., Job], own_process: None, monkeypatch: pytest.MonkeyPatch, tasks: int | None,
    facts: dict[str, str], which: str,
) -> None:  # fmt: skip
    """Of an array only the task; a Slurm that fails is asked again, and at last its words are kept."""
    it, waits = job(tasks=tasks), list[float]()
    monkeypatch.setattr(requeue_module, "time", SimpleNamespace(sleep=waits.append))
    for name, value in facts.items():
        monkeypatch.setenv(name, value)
    it.slurm.fault("scontrol", times=2, fail="Unable to contact slurm controller")
    assert requeue(read_spec(it.run)) == ""
    assert it.slurm.calls("scontrol") == [["requeue", which]] * 3
    it.slurm.fault("scontrol", fail="Requested operation is presently disabled")
    assert requeue(read_spec(it.run)) == "Requested operation is presently disabled"
    assert len(waits) == 5


@pytest.mark.parametrize(
    ("spec", "begun", "due"),
    [
        ({"restarts": 1}, 1, 42.0),  # of 60 s
        ({"restarts": 1, "warn_seconds": 100}, 1, 70.0),
        ({"restarts": 1, "hours": 0.02}, 1, 0.7 * 36),  # Slurm warns after half of such a short time
        ({"restarts": 1, "hours": 0.001}, 1, 2.0),
        ({"restarts": 1}, 2, None),
        ({"restarts": 0}, 1, None),
    ],
)
def test_a_warned_job_that_does_not_save_is_put_back_before_its_limit(
    job: Callable[..., Job], spec: dict[str, Any], begun: int, due: float | None
) -> None:
    """Only where it may begin again, and while Slurm still can be asked; what must end has 5 s."""
    it = job("sleep", "60", **spec)
    for _ in range(begun):
        note(it.run.path, "started")
    watch = Watch(it.run, it.run, read_spec(it.run), Journal(it.run.journal), -1)
    assert watch._due() is None
    watch._warned = 1000.0
    assert watch._due() == (None if due is None else pytest.approx(1000.0 + due))
    watch._told_to_end = 1001.0
    assert watch._due() == 1006.0


def test_what_was_not_saved_in_time_is_done_again(
    job: Callable[..., Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The program does not know the warning: it is killed with all that it started, and the run goes on."""
    it, asked = job(restarts=1), list[Spec]()

    def put_back(spec: Spec) -> str:
        asked.append(spec)
        return ""

    note(it.run.path, "started")
    program = subprocess.Popen(["sh", "-c", "sleep 60 & exec sleep 60"], start_new_session=True)
    watch = Watch(it.run, it.run, read_spec(it.run), Journal(it.run.journal), program.pid)
    monkeypatch.setattr(work_module, "requeue", put_back)
    monkeypatch.setattr(signal, "sigtimedwait", lambda *_: None)
    watch._warned = time.monotonic()
    watch._kill_late()
    assert program.poll() is None
    watch._warned -= 100
    watch._kill_late()
    assert watch._conclude(program.wait(20)) == 0
    wait_until(lambda: _gone(program.pid), 20, "the whole group is killed")
    assert asked == [read_spec(it.run)]
    assert "done again" in it.wrote("requeued")["sentence"]
    assert not it.status().over
    monkeypatch.setattr(work_module, "requeue", lambda _: "Slurm did not answer.")
    assert watch._conclude(-signal.SIGKILL) == 1
    assert (
        it.wrote("ended")["sentence"]
        == "Its time limit came, and it could not be put back: Slurm did not answer."
    )


def _gone(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return False
