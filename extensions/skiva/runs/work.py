"""The job's side of a run: `python -I -m skiva.runs.work DIRECTORY` is the batch step's main process.

It stays small and lives through whatever the user's code does: that runs in a forked child, whose output
goes to the log without passing through here. What happens is written down as it happens.
"""

import json
import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from skiva.runs.journal import STARTS, Journal
from skiva.runs.paths import RunDir
from skiva.runs.requeue import GO_ON, requeue
from skiva.runs.spec import Spec

if TYPE_CHECKING:
    from skiva.session.proof import Proof

__all__ = ["main"]

_GRACE = 5.0
"""Seconds between the request to end and the kill; Slurm's own patience (KillWait) is longer."""
_WATCHED = (signal.SIGCHLD, signal.SIGUSR1, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def main(arguments: list[str]) -> int:
    """Run what the directory describes, and write down how it went."""
    run = RunDir(Path(arguments[0]))
    spec = Spec.from_json(json.loads(run.spec.read_bytes()))
    task = int(os.environ["SLURM_ARRAY_TASK_ID"]) if spec.tasks is not None else None
    place = run if task is None else run.task(task)
    signal.pthread_sigmask(signal.SIG_BLOCK, _WATCHED)
    enter_environment(run, arguments)
    usual = os.umask(0o077)
    journal = Journal(place.journal)
    if journal.ended:
        return 0
    if known := _must_not_run(run, place, spec, journal):
        journal.end(*known)
        return 0 if known[0] == "completed" else 1
    for left in (place.error, place.outcome):  # by an earlier job of this run
        left.unlink(missing_ok=True)
    journal.note(STARTS, **_facts(), proof=_proof(spec))
    child = os.fork()
    if child == 0:
        os.umask(usual)  # for what the user's code makes
        return _child(run, place, spec, task)
    return Watch(run, place, spec, journal, child).until_end()


def enter_environment(run: RunDir, arguments: list[str]) -> None:
    """Take the variables that the run was given; what the loader reads needs a new start of this program."""
    try:
        wanted = {str(k): str(v) for k, v in json.loads(run.env.read_bytes()).items()}
    except (OSError, ValueError):
        return
    loads = any(
        wanted.get(name, "") != os.environ.get(name, "") for name in ("LD_LIBRARY_PATH", "LD_PRELOAD")
    )
    os.environ.update(wanted)
    if loads and "SKIVA_RUN" not in os.environ:
        os.environ["SKIVA_RUN"] = run.id
        os.execv(sys.executable, [sys.executable, "-I", "-m", "skiva.runs.work", *arguments])
    os.environ["SKIVA_RUN"] = run.id


def _must_not_run(run: RunDir, place: RunDir, spec: Spec, journal: Journal) -> tuple[str, str] | None:
    if place.result.exists():
        return "completed", "Completed."  # killed between its last two words
    if run.cancel.exists():
        return "cancelled", "Cancelled."
    if journal.starts > spec.restarts:
        again = (
            "This run may not be repeated" if not spec.restarts else f"It has begun {journal.starts} times"
        )
        return "not_restarted", f"Slurm started the job again. {again}, so nothing was run a second time."
    if spec.proof.get("must"):
        proof = _prove(spec)
        if not proof.exclusive:
            return "failed", proof.sentence
    return None


def _prove(spec: Spec) -> "Proof":
    from skiva.session.proof import prove

    return prove(spec.proof.get("devices", ()), spec.proof.get("always_open", ()), spec.proof.get("wanted"))


def _proof(spec: Spec) -> str:
    return str(_prove(spec).sentence) if spec.proof.get("wanted") is not None else ""


def _facts() -> dict[str, object]:
    return {
        "job_id": int(os.environ.get("SLURM_JOB_ID", "0")),
        "node": os.environ.get("SLURMD_NODENAME", ""),
        "restarts": int(os.environ.get("SLURM_RESTART_COUNT", "0")),
    }


def _child(run: RunDir, place: RunDir, spec: Spec, task: int | None) -> int:
    os.setsid()
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for number in _WATCHED:
        signal.signal(number, signal.SIG_DFL)
    # The warning changes nothing for code that does not listen.
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _WATCHED)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True, errors="replace")  # type: ignore[union-attr]
    sys.path[:] = list(spec.sys_path) or sys.path
    try:
        os.chdir(spec.cwd)
    except OSError as problem:
        print(
            f"skiva: {spec.cwd} cannot be entered ({problem.strerror}); the run begins in {run.path}",
            flush=True,
        )
        os.chdir(run.path)

    from skiva.runs.user_code import run_user_code

    status = run_user_code(run, place, spec, task)
    if spec.kind == "notebook":
        # Nothing of the user's ran in this process, and its libraries take long to say goodbye.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    return status


class Watch:
    """Waits for the child, passes on what Slurm says, and tells the truth about the end."""

    def __init__(self, run: RunDir, place: RunDir, spec: Spec, journal: Journal, child: int) -> None:
        self._run = run
        self._place = place
        self._spec = spec
        self._journal = journal
        self._child = child
        self._warned: float | None = None
        self._told_to_end: float | None = None
        self._gave_up = False

    def until_end(self) -> int:
        """The job's exit status."""
        import skiva.runs.ending  # noqa: F401 - while there is nothing else to do

        while True:
            found = signal.sigtimedwait(_WATCHED, self._patience())
            if found is not None and found.si_signo == signal.SIGUSR1:
                self._warn()
            elif found is not None and found.si_signo != signal.SIGCHLD:
                self._end()
            done, status = os.waitpid(self._child, os.WNOHANG)
            if done:
                self._signal_child(signal.SIGKILL)  # what it started ends with it
                return self._conclude(os.waitstatus_to_exitcode(status))
            self._kill_late()

    def _patience(self) -> float:
        """Seconds until something must be done although nothing happens."""
        due = self._due()
        return 60.0 if due is None else max(0.05, due - time.monotonic())

    def _due(self) -> float | None:
        if self._told_to_end is not None:
            return self._told_to_end + _GRACE
        if self._warned is not None and self._may_go_on:
            # What is asked of Slurm now must be done before the limit.
            return self._warned + max(2.0, self._warning * 0.7)
        return None

    @property
    def _warning(self) -> float:
        return float(min(self._spec.warn_seconds, self._spec.hours * 1800))

    @property
    def _may_go_on(self) -> bool:
        return self._journal.starts <= self._spec.restarts

    def _warn(self) -> None:
        self._warned = time.monotonic()
        self._journal.note("warned")
        # Only its leader: programs that it started would die of a signal that they do not know.
        with suppress(ProcessLookupError):
            os.kill(self._child, signal.SIGUSR1)

    def _end(self) -> None:
        if self._told_to_end is None:
            self._told_to_end = time.monotonic()
            self._signal_child(signal.SIGTERM)

    def _kill_late(self) -> None:
        due = self._due()
        if due is not None and time.monotonic() >= due:
            self._gave_up = self._told_to_end is None
            self._signal_child(signal.SIGKILL)

    def _signal_child(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._child, number)

    def _conclude(self, status: int) -> int:
        from skiva.runs.ending import ending

        self._wait_for_word(status)
        if status == GO_ON or self._gave_up:
            return self._go_on()
        end = ending(
            status,
            self._place,
            cancelled=self._run.cancel.exists(),
            told_to_end=self._told_to_end is not None,
            warned=self._warned is not None,
            may_go_on=self._may_go_on,
        )
        self._journal.note(end.event, how=end.how, exit=status, sentence=end.sentence)
        return 0 if end.how == "completed" else 1

    def _wait_for_word(self, status: int) -> None:
        """A child that was killed may have been so for a reason that reaches us a moment later."""
        if status < 0 and self._told_to_end is None and not self._gave_up:
            found = signal.sigtimedwait((signal.SIGTERM, signal.SIGINT, signal.SIGHUP), 1.0)
            if found is not None:
                self._told_to_end = time.monotonic()

    def _go_on(self) -> int:
        """Let Slurm put the job back into the queue, and wait to be ended for it."""
        if not self._may_go_on:
            begun = self._journal.starts
            self._journal.end("time_limit", f"Stopped by the time limit, having begun {begun} times.", GO_ON)
            return 1
        kept = "what it had not saved is done again" if self._gave_up else "it goes on from what it saved"
        self._journal.note("requeued", why="time limit", sentence=f"Its time limit came; {kept}.")
        problem = requeue(self._spec)
        if problem:
            self._journal.end(
                "time_limit", f"Its time limit came, and it could not be put back: {problem}", GO_ON
            )
            return 1
        signal.sigtimedwait((signal.SIGTERM, signal.SIGINT), 60.0)
        return 0


def _guarded_main() -> int:
    try:
        return main(sys.argv[1:])
    except OSError:  # a full disk: Slurm's word is the only one, and must not look like one of ours
        import traceback

        with suppress(OSError):
            traceback.print_exc()
        return os.EX_IOERR


if __name__ == "__main__":
    sys.exit(_guarded_main())
