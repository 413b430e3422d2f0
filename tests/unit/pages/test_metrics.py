"""What Prometheus sees."""

from types import SimpleNamespace

from prometheus_client import REGISTRY, CollectorRegistry, generate_latest
from tests.unit.pages import samples

from skiva_hub import metrics


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


def test_phases_and_failures_are_counted() -> None:
    """A start that becomes usable counts once; a failure counts under its word."""
    before = REGISTRY.get_sample_value("skiva_starts_total") or 0
    metrics.observe_phase("running", 0.4)
    metrics.observe_phase("ready", 2.1)
    metrics.count_failure("timeout")
    assert REGISTRY.get_sample_value("skiva_starts_total") == before + 1
    assert REGISTRY.get_sample_value("skiva_start_seconds_count", {"phase": "ready"})
    assert REGISTRY.get_sample_value("skiva_failures_total", {"reason": "timeout"})
