"""What Prometheus sees."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
from prometheus_client import REGISTRY, CollectorRegistry, generate_latest
from tests.unit.pages import samples

from skiva_hub import metrics
from skiva_slurm.jobs import Array
from skiva_slurm.tags import ClusterTag, RunTag, Tag


def test_queue_and_watcher_are_there_for_each_slice() -> None:
    """One scrape gives the free, used and waiting of each slice and the watcher's health."""
    snapshot = samples.full(samples.pending(300))
    watcher = SimpleNamespace(
        snapshot=snapshot, age=1.5, readings=7, failures=2, restarts=0, last_seconds=0.02
    )
    registry = CollectorRegistry()
    metrics.watch(watcher, samples.site(), registry)
    text = generate_latest(registry).decode()
    for row in (
        'skiva_slice_free{slice="1g.10gb"} 0.0',
        'skiva_slice_in_use{slice="1g.10gb"} 7.0',
        'skiva_slice_waiting{slice="1g.10gb"} 1.0',
        'skiva_slice_running{slice="1g.10gb"} 7.0',
        'skiva_slice_running{slice="h100"} 2.0',
        "skiva_watcher_age_seconds 1.5",
        "skiva_watcher_readings_total 7.0",
        "skiva_watcher_failures_total 2.0",
    ):
        assert row in text


def test_jobs_are_counted_by_what_they_are_for() -> None:
    """Workers of Dask clusters are no sessions; those of an array that wait count one by one."""
    session, run = Tag("lab", "ann", "", "abcdefgh"), RunTag("261122-k3f9ta2x")
    tags = (session.text, run.text, ClusterTag("261122-k3f9ta2x", 0).text)
    jobs = [replace(samples.running(300 + i), tag=tag) for i, tag in enumerate(tags)]
    worker = ClusterTag("261122-k3f9ta2x", 1, 300).text
    jobs += [replace(samples.running(310), tag=worker, array=Array(309, "0"))]
    jobs += [replace(samples.pending(309), tag=worker, array=Array(309, "1-3"))]
    jobs += [replace(samples.running(320), tag=worker, state="COMPLETED")]
    watcher = SimpleNamespace(
        snapshot=samples.snapshot(*jobs, samples.running(330)),
        age=1.5,
        readings=7,
        failures=2,
        restarts=0,
        last_seconds=0.02,
    )
    registry = CollectorRegistry()
    metrics.watch(watcher, samples.site(), registry)

    def told(purpose: str, state: str) -> float | None:
        return registry.get_sample_value("skiva_jobs", {"purpose": purpose, "state": state})

    assert [told(kind, "running") for kind in ("session", "run", "scheduler", "worker")] == [1, 1, 1, 1]
    assert [told(kind, "waiting") for kind in ("session", "run", "scheduler", "worker")] == [0, 0, 0, 3]


def test_before_the_first_reading_the_queue_is_absent_and_the_age_infinite() -> None:
    """An alert on the age fires; no slice is reported as having none free."""
    watcher = SimpleNamespace(
        snapshot=None, age=float("inf"), readings=0, failures=3, restarts=0, last_seconds=0.0
    )
    registry = CollectorRegistry()
    metrics.watch(watcher, samples.site(), registry)
    text = generate_latest(registry).decode()
    assert "skiva_watcher_age_seconds +Inf" in text
    assert "skiva_slice" not in text
    assert "skiva_jobs" not in text


def test_phases_and_failures_are_counted() -> None:
    """A start that becomes usable counts once; a failure counts under its word."""

    def counts() -> list[float]:
        wanted: tuple[tuple[str, dict[str, str]], ...] = (
            ("skiva_starts_total", {}),
            ("skiva_start_seconds_count", {"phase": "running"}),
            ("skiva_start_seconds_sum", {"phase": "ready"}),
            ("skiva_failures_total", {"reason": "timeout"}),
        )
        return [REGISTRY.get_sample_value(name, labels) or 0.0 for name, labels in wanted]

    before = counts()
    metrics.observe_phase("running", 0.4)
    metrics.observe_phase("ready", 2.0)
    metrics.count_failure("timeout")
    assert counts() == [pytest.approx(old + more) for old, more in zip(before, (1, 1, 2, 1), strict=True)]
