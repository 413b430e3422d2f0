"""Runs in jupyter-scheduler's words. Pure, but for looking which files are there."""

from collections.abc import Mapping
from pathlib import Path

from jupyter_scheduler.models import DescribeJob, JobFile
from jupyter_scheduler.models import Status as JobStatus

from skiva.runs.paths import RunDir
from skiva.runs.spec import Spec
from skiva.runs.status import Status
from skiva.scheduler.card import Card

__all__ = ["FILES", "FORMATS", "STATUS", "add_files", "describe", "job_status"]

FORMATS = {"ipynb": "Notebook", "html": "HTML"}
FILES = {"ipynb": "out.ipynb", "html": "out.html"}
STATUS: Mapping[str, JobStatus] = {
    "preparing": JobStatus.CREATED,
    "queued": JobStatus.QUEUED,
    "requeued": JobStatus.QUEUED,
    "unknown": JobStatus.QUEUED,
    "running": JobStatus.IN_PROGRESS,
    "ending": JobStatus.IN_PROGRESS,
    "completed": JobStatus.COMPLETED,
    "cancelled": JobStatus.STOPPED,
    # Its panel offers a job's files only where that is COMPLETED or FAILED, and there may be some of each.
    "failed": JobStatus.FAILED,
    "time_limit": JobStatus.FAILED,
    "preempted": JobStatus.FAILED,
    "out_of_memory": JobStatus.FAILED,
    "node_failed": JobStatus.FAILED,
    "killed": JobStatus.FAILED,
    "not_restarted": JobStatus.FAILED,
    "refused": JobStatus.FAILED,
    "vanished": JobStatus.FAILED,
}


def job_status(status: Status, *, cancelling: bool = False) -> JobStatus:
    """One of its seven words for how a run is."""
    if cancelling and not status.over:
        return JobStatus.STOPPING
    return STATUS[status.state]


def describe(spec: Spec, card: Card, status: Status, *, cancelling: bool = False) -> DescribeJob:
    """One job, without its files."""
    word = job_status(status, cancelling=cancelling)
    # Shown in red whatever it says: why a job waits is told in the panel of runs instead.
    message = " ".join(filter(None, (status.sentence, status.action)))
    bad = word in {JobStatus.FAILED, JobStatus.STOPPED}
    last = status.ended or status.started or status.submitted or spec.created
    return DescribeJob(
        **_said(card),
        job_id=spec.id,
        url=f"/jobs/{spec.id}",
        create_time=_ms(spec.created),
        update_time=_ms(last),
        start_time=_ms(status.started) if status.started else None,
        end_time=_ms(status.ended) if status.ended else None,
        status=word,
        status_message=message if bad else None,
    )


def _said(card: Card) -> dict[str, object]:
    said = card.model_dump()
    said["output_formats"] = list(card.output_formats)
    said["tags"] = list(card.tags) or None
    return said


def add_files(job: DescribeJob, run: RunDir, served: Path) -> DescribeJob:
    """Say where its files are, for a file browser that shows `served`."""
    wanted = [kind for kind in job.output_formats or ["ipynb"] if kind in FILES]
    found = [_file(FORMATS[kind], kind, run.path / FILES[kind], served) for kind in wanted]
    job.downloaded = all(file.file_path for file in found)
    found.append(_file("Input", "input", run.notebook, served))
    if job.package_input_folder:
        found.append(_file("Files", "files", run.path / "files", served))
    log = _file("Log", "log", run.log(), served)
    job.job_files = [*found, log] if log.file_path else found
    return job


def _file(title: str, kind: str, path: Path, served: Path) -> JobFile:
    return JobFile(display_name=title, file_format=kind, file_path=_shown(path, served))


def _shown(path: Path, served: Path) -> str | None:
    """The path in the file browser; None where it does not reach or nothing is there."""
    try:
        below = path.relative_to(served)
    except ValueError:
        return None
    hidden = any(part.startswith(".") for part in below.parts)
    return None if hidden or not path.exists() else below.as_posix()


def _ms(seconds: float) -> int:
    return int(seconds * 1000)
