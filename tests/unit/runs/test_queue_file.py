"""What a session's server was told of the queue, whatever the file holds."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skiva.runs.queue import Queue, from_event

_odd: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda some: st.lists(some, max_size=2) | st.dictionaries(st.text(max_size=5), some, max_size=2),
    max_leaves=4,
)
_FIELDS = (
    "job_id",
    "slurm_state",
    "run",
    "array",
    "cluster",
    "reason",
    "action",
    "expected",
    "starts",
    "ends",
    "restarts",
)
_job = st.fixed_dictionaries({"job_id": st.integers() | _odd}, optional=dict.fromkeys(_FIELDS[1:], _odd))


@settings(max_examples=60)
@given(_odd, st.lists(_job | _odd, max_size=3) | _odd, _odd)
def test_any_event_of_the_queue_is_read_or_left_out(taken: Any, jobs: Any, trouble: Any) -> None:
    """What the server's file holds never stops anything."""
    found = from_event({"taken": taken, "jobs": jobs, "trouble": trouble})
    for job in found.jobs if found else ():
        assert job.life
        assert job.ends is None or job.ends < 1e12


@pytest.mark.parametrize(
    "at", [None, "soon", float("nan"), True, [], 0, lambda: time.time() - 50, lambda: time.time() + 50]
)
def test_a_file_of_the_queue_without_a_recent_time_is_not_believed(
    tmp_path: Path, at: float | str | Callable[[], float]
) -> None:
    """Too old, from the future, or of no time at all."""
    told: dict[str, Any] = {"at": at() if callable(at) else at, "taken": 1.0, "jobs": []}
    (tmp_path / "queue.json").write_text(json.dumps(told))
    assert Queue({"SKIVA_RUN_DIR": str(tmp_path)}).told() is None
    (tmp_path / "queue.json").write_text(json.dumps({**told, "at": time.time()}))
    assert Queue({"SKIVA_RUN_DIR": str(tmp_path)}).told() is not None
