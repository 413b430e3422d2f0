"""What Prometheus sees of the queue and of spawning, beside JupyterHub's own, at `/hub/metrics`."""

from collections import Counter as Counts
from collections.abc import Iterable
from typing import Protocol

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from skiva_hub.pages.queue import available, slice_of, waiting
from skiva_hub.site import Site
from skiva_slurm.jobs import Snapshot
from skiva_slurm.reasons import purpose
from skiva_slurm.states import Life

PHASES = ("submitted", "running", "proved", "ready")

_PHASE_SECONDS = Histogram(
    "skiva_start_seconds",
    "Seconds from the click on Start until a phase was reached.",
    ["phase"],
    buckets=(0.25, 0.5, 1, 1.5, 2, 3, 5, 10, 30, 60, 300, 1800, 7200, 28800, 86400),
)
_STARTS = Counter("skiva_starts", "Sessions that became usable.")
_FAILURES = Counter("skiva_failures", "Failed starts and sessions that ended unasked, by cause.", ["reason"])

_UNSEEN = Gauge("skiva_sessions_unseen", "Sessions that live and that the queue does not show the hub.")
_UNKNOWN = Gauge("skiva_jobs_unknown", "Living jobs with the hub's id that belong to no session it knows.")


class Watched(Protocol):
    """What is told of the queue watcher."""

    @property
    def snapshot(self) -> Snapshot | None:
        """The last good reading."""

    @property
    def age(self) -> float:
        """Seconds since the last good reading."""

    @property
    def readings(self) -> int:
        """Good readings so far."""

    @property
    def failures(self) -> int:
        """Readings that failed so far."""

    @property
    def restarts(self) -> int:
        """How often its loop was started again."""

    @property
    def last_seconds(self) -> float:
        """How long the last good reading took."""


def observe_phase(phase: str, seconds: float) -> None:
    """Note that a start reached `phase` (one of `PHASES`) so many seconds after the click."""
    _PHASE_SECONDS.labels(phase=phase).observe(seconds)
    if phase == PHASES[-1]:
        _STARTS.inc()


def count_failure(reason: str) -> None:
    """Note that a start failed, or a session ended unasked, for this short word, e.g. `timeout`."""
    _FAILURES.labels(reason=reason).inc()


def note_sight(*, unseen: int, unknown: int) -> None:
    """Note how many sessions live that readings lack, and how many jobs belong to no session."""
    _UNSEEN.set(unseen)
    _UNKNOWN.set(unknown)


def watch(watcher: Watched, site: Site, registry: CollectorRegistry = REGISTRY) -> None:
    """Tell Prometheus of the watcher and of the queue of each slice, whenever it asks."""
    registry.register(_QueueCollector(watcher, site))


class _QueueCollector(Collector):
    """Reads the last snapshot when it is asked; asks Slurm nothing."""

    def __init__(self, watcher: Watched, site: Site) -> None:
        self._watcher = watcher
        self._site = site

    def describe(self) -> Iterable[Metric]:
        return []

    def collect(self) -> Iterable[Metric]:
        seen = self._watcher
        for name, text, value in (
            ("skiva_watcher_age_seconds", "Age of the last good reading of Slurm.", seen.age),
            (
                "skiva_watcher_last_seconds",
                "How long the last good reading of Slurm took.",
                seen.last_seconds,
            ),
        ):
            yield GaugeMetricFamily(name, text, value=value)
        for name, text, value in (
            ("skiva_watcher_readings", "Good readings of Slurm.", seen.readings),
            ("skiva_watcher_failures", "Readings of Slurm that failed.", seen.failures),
            ("skiva_watcher_restarts", "How often the watcher's loop was started again.", seen.restarts),
        ):
            yield CounterMetricFamily(name, text, value=value)
        if seen.snapshot is not None:
            yield from self._slices(seen.snapshot)
            yield _purposes(seen.snapshot)

    def _slices(self, snapshot: Snapshot) -> Iterable[Metric]:
        gauges = {
            name: GaugeMetricFamily(f"skiva_slice_{name}", text, labels=["slice"])
            for name, text in (
                ("free", "Slices that could start right now."),
                ("in_use", "Slices in use."),
                ("drained", "Slices out of service."),
                ("kept", "Slices that are free on nodes of which others' reservations keep a part or all."),
                ("total", "Slices in all."),
                ("waiting", "Jobs that wait for such a slice."),
                ("running", "Jobs that run on such a slice."),
            )
        }
        running = [
            picked.id
            for job in snapshot.jobs.values()
            if job.life is Life.RUNNING and (picked := slice_of(job, self._site)) is not None
        ]
        for picked in self._site.slice:
            seen = available(picked, snapshot)
            values = {
                "free": seen.free,
                "in_use": seen.in_use,
                "drained": seen.drained,
                "kept": seen.kept,
                "total": seen.total,
                "waiting": waiting(picked, snapshot),
                "running": running.count(picked.id),
            }
            for name, value in values.items():
                gauges[name].add_metric([picked.id], value)
        yield from gauges.values()


def _purposes(snapshot: Snapshot) -> Metric:
    """How many jobs with a mark of ours there are of each kind; each task of an array is one."""
    states = {Life.QUEUED: "waiting", Life.RUNNING: "running"}
    counts = Counts[tuple[str, str]]()
    for job in snapshot.jobs.values():
        if job.tag and job.life in states:
            counts[purpose(job.tag), states[job.life]] += job.tasks
    text = "Jobs of sessions, of runs and, as workers and schedulers, of Dask clusters."
    gauge = GaugeMetricFamily("skiva_jobs", text, labels=["purpose", "state"])
    for kind in ("session", "run", "worker", "scheduler"):
        for state in states.values():
            gauge.add_metric([kind, state], counts[kind, state])
    return gauge
