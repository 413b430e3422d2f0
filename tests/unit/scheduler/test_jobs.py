"""Runs in jupyter-scheduler's words, and which of them a query asks for."""

import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jupyter_scheduler.exceptions import SchedulerError
from jupyter_scheduler.models import DescribeJob, ListJobsQuery, SortDirection, SortField
from jupyter_scheduler.models import Status as JobStatus
from tests.support.runs_on_disk import lay, run_id, write

from skiva.runs import status as states
from skiva.runs.status import ENDED, Status
from skiva.scheduler.compute import compute_types, default_compute_type, parse_compute_type
from skiva.scheduler.describe import STATUS, job_status
from skiva.scheduler.jobs import Jobs
from skiva.scheduler.parameters import typed
from skiva.scheduler.query import chosen, page
from skiva_slurm.offer import EnvironmentOffer, Offer, SliceOffer

_FORM: dict[str, Any] = {"input_filename": "a.ipynb", "runtime_environment_name": "base"}
_JOB: dict[str, Any] = {**_FORM, "url": "/", "update_time": 1}


def _jobs() -> list[DescribeJob]:
    def make(number: int, **facts: Any) -> DescribeJob:
        return DescribeJob(**_JOB, job_id=f"261122-{number:08}", create_time=number, **facts)

    return [
        make(
            1, name="Fit", status=JobStatus.COMPLETED, start_time=10, tags=["x", "y"], job_definition_id="d"
        ),
        make(2, name="fit 2", status=JobStatus.FAILED, start_time=20, tags=["xy"]),
        make(3, name="other", status=JobStatus.QUEUED),
        make(4, name="fit 3", status=JobStatus.QUEUED, tags=["y"], job_definition_id="d"),
    ]


def test_every_state_has_its_word() -> None:
    """Each state of a run is one of jupyter-scheduler's seven words, and no end looks like going on."""
    assert set(STATUS) == ENDED | set(states._LIVES)
    over = {JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.STOPPED}
    for name in STATUS:
        assert (job_status(Status(state=name)) in over) == (name in ENDED)
        asked = job_status(Status(state=name), cancelling=True)
        assert asked == (STATUS[name] if name in ENDED else JobStatus.STOPPING)
    completed = [name for name, word in STATUS.items() if word == JobStatus.COMPLETED]
    assert completed == ["completed"]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({}, [4, 3, 2, 1]),
        ({"status": "QUEUED"}, [4, 3]),
        ({"name": "fit"}, [4, 2, 1]),
        ({"tags": ["y"]}, [4, 1]),
        ({"tags": ["x", "y"]}, [1]),
        ({"job_definition_id": "d"}, [4, 1]),
        ({"start_time": 15}, [2]),
        ({"name": "nothing"}, []),
    ],
)
def test_filters(asked: dict[str, Any], found: list[int]) -> None:
    """A query finds what it names, the newest first; tags are whole words, and names begin so in any case."""
    assert [job.create_time for job in chosen(_jobs(), ListJobsQuery(**asked))] == found


def test_order_by_several_fields() -> None:
    """The first field decides, the next among equals; what has no value comes first."""
    query = ListJobsQuery(
        sort_by=[
            SortField(name="start_time", direction=SortDirection.asc),
            SortField(name="name", direction=SortDirection.desc),
        ]
    )
    assert [job.create_time for job in chosen(_jobs(), query)] == [3, 4, 1, 2]
    for name in ("nothing", "tags"):
        sorting = [SortField(name=name, direction=SortDirection.asc)]
        if name == "tags":
            assert len(chosen(_jobs(), ListJobsQuery(sort_by=sorting))) == 4
        else:
            with pytest.raises(SchedulerError, match="sort_by"):
                chosen(_jobs(), ListJobsQuery(sort_by=sorting))


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 6), st.integers(0, 12))
def test_pages_are_all_of_it(size: int, count: int) -> None:
    """Whatever the size of a page, following the tokens gives everything once, in order."""
    jobs, found, token = list(range(count)), [], None
    while True:
        some, token = page(jobs, ListJobsQuery(max_items=size, next_token=token))
        found += some
        assert len(some) <= size
        if token is None:
            break
    assert found == jobs


@pytest.mark.parametrize("token", ["-1", "x", "1.5", "9" * 50])
def test_a_token_that_nobody_gave_is_refused(token: str) -> None:
    """A token that is none is refused in a sentence."""
    with pytest.raises(SchedulerError, match="next_token"):
        page([1], ListJobsQuery(next_token=token))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3),
        ("-0.5", -0.5),
        ("1e3", 1000.0),
        ("True", True),
        ("None", None),
        ("true", "true"),
        ("base", "base"),
        ("", ""),
        ("'3'", "3"),
        ('"a b"', "a b"),
        ("[1, 'x']", [1, "x"]),
        ("{'a': 1}", {"a": 1}),
        ("[not a list", "[not a list"),
        ("__import__('os')", "__import__('os')"),
        ("[print(1)]", "[print(1)]"),
    ],
)
def test_parameters_are_typed(text: str, value: object) -> None:
    """What the form's text looks like is what the notebook gets, and nothing in it is ever run."""
    found = typed(text)
    assert (found, type(found)) == (value, type(value))


@settings(max_examples=50, deadline=None)
@given(st.text())
def test_any_text_is_a_parameter(text: str) -> None:
    """None breaks it, and what is no number, word, quote or bracket of Python's is the text itself."""
    found = typed(text)
    assert found == text or isinstance(found, int | float | None) or text[0] in "'\"[{("


def test_compute_types_are_slices_with_hours() -> None:
    """Every choice in the form names a slice and hours that the site allows."""
    offer = Offer(
        hub="h",
        bin="/usr/bin",
        hours=1,
        max_hours=12,
        slices=tuple(
            SliceOffer(id=name, title=name, partition="p", gres=gres, cores=1, memory_mb=1)
            for name, gres in (("1g.10gb", "gpu:1g.10gb:1"), ("cpu", None))
        ),
        environment=EnvironmentOffer(id="base", title="Base", launch={}),
    )
    found = compute_types(offer)
    assert found == ["1g.10gb", "1g.10gb, 8 h", "1g.10gb, 12 h", "cpu", "cpu, 8 h", "cpu, 12 h"]
    assert compute_types(offer, [0.5, 1, 99]) == ["1g.10gb", "1g.10gb, 0.5 h", "cpu", "cpu, 0.5 h"]
    assert [parse_compute_type(one) for one in found[:2]] == [("1g.10gb", None), ("1g.10gb", 8.0)]
    assert parse_compute_type(None) == (None, None)
    assert default_compute_type(offer) == "cpu"


def test_runs_of_notebooks_are_jobs(tmp_path: Path) -> None:
    """What was sent from elsewhere is listed too, with its files; what is no notebook or no run is not."""
    root = tmp_path / "runs"
    source = {"notebook": "/home/a/data/fit.ipynb"}
    mine = lay(root, run_id(1), end="time_limit", kind="notebook", source=source, parameters={"rate": 0.1})
    (mine / "out.ipynb").write_text("{}")
    card = {**_FORM, "name": "Monthly", "tags": ["x"], "output_formats": ["ipynb", "html"]}
    write(lay(root, run_id(2), kind="notebook") / "scheduler.json", card)
    lay(root, run_id(3), kind="function")
    (lay(root, run_id(4), kind="notebook") / "spec.json").write_text("{")
    jobs = Jobs(tmp_path, root)

    found = {job.job_id: job for job in jobs.all()}
    assert set(found) == {run_id(1), run_id(2)}
    first, second = jobs.with_files(found[run_id(1)]), jobs.with_files(found[run_id(2)])
    assert (first.name, first.input_filename, first.parameters) == ("fit", "fit.ipynb", {"rate": "0.1"})
    assert (first.status, first.status_message[:3]) == (JobStatus.FAILED, "It ")
    assert {file.file_format: file.file_path for file in first.job_files} == {
        "ipynb": f"runs/{run_id(1)}/out.ipynb",
        "input": None,
    }
    assert (second.name, second.tags) == ("Monthly", ["x"])
    assert (second.downloaded, second.status_message) == (False, None)
    assert json.loads(second.json())["end_time"] > second.start_time > second.create_time
    for name in (run_id(3), run_id(4), run_id(9), "../x-y", "d-e"):
        with pytest.raises((LookupError, ValueError)):
            jobs.one(name)

    jobs.delete(run_id(1))
    assert [job.job_id for job in jobs.all()] == [run_id(2)]
    assert (root / ".trash" / run_id(1) / "out.ipynb").exists()


def test_the_next_line_finds_the_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is a class to derive from the backend does, and says all that is asked of one."""
    from skiva.scheduler import backend

    assert backend.SlurmBackend.scheduler_class.__name__ == "SlurmScheduler"
    stand_in = ModuleType("jupyter_scheduler.base_backend")
    stand_in.BaseBackend = type("BaseBackend", (), {})  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "jupyter_scheduler.base_backend", stand_in)
    monkeypatch.setattr("jupyter_scheduler.base_backend", stand_in, raising=False)
    monkeypatch.delitem(sys.modules, "skiva.scheduler.backend")
    from skiva.scheduler.backend import SlurmBackend

    assert issubclass(SlurmBackend, stand_in.BaseBackend)
    for name in (
        "id",
        "name",
        "description",
        "scheduler_class",
        "execution_manager_class",
        "database_manager_class",
        "file_extensions",
        "output_formats",
    ):
        assert hasattr(SlurmBackend, name)
    monkeypatch.delitem(sys.modules, "skiva.scheduler.backend")
