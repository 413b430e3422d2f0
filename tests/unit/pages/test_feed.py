"""What notebooks are told of the jobs of Dask clusters, from the hub's event to what they read there."""

from dataclasses import replace
from typing import Any

from tests.unit.pages import samples

from skiva.runs.queue import from_event, from_jobs
from skiva_hub.pages import feed
from skiva_slurm.jobs import Array, Job
from skiva_slurm.tags import ClusterTag, RunTag, Tag

CLUSTER = "261122-k3f9ta2x"
SESSION = replace(samples.running(7, user="ann"), tag=Tag("lab", "ann", "", "abcdefgh").text)
SCHEDULER = replace(samples.pending(8, user="ann"), tag=ClusterTag(CLUSTER, 0, 0).text, reason="None")
WORKER = replace(samples.running(12, user="ann"), tag=ClusterTag(CLUSTER, 2, 7).text, array=Array(11, "0"))
REST = replace(
    samples.pending(11, user="ann"),
    tag=ClusterTag(CLUSTER, 2, 7).text,
    array=Array(11, "1-3"),
    reason="QOSMaxGRESPerUser",
)
RUN = replace(samples.pending(20, user="ann"), tag=RunTag("261122-aaaaaaaa").text, reason="None")


def told(*jobs: Job) -> dict[str, Any]:
    """The event for ann."""
    return feed.event(samples.site(), "ann", frozenset(), samples.snapshot(*jobs), samples.NOW)


def test_a_job_of_a_cluster_is_told_as_such() -> None:
    """Cluster, batch and owner are in the event, with the slice; no other job is said to be of one."""
    jobs = {job["job_id"]: job for job in told(SESSION, SCHEDULER, WORKER, REST, RUN)["jobs"]}
    assert jobs[12]["cluster"] == {"id": CLUSTER, "batch": 2, "owner": 7}
    assert jobs[8]["cluster"] == {"id": CLUSTER, "batch": 0, "owner": 0}
    assert (jobs[7]["cluster"], jobs[20]["cluster"]) == (None, None)
    assert [(job["session"], job["run"]) for job in (jobs[12], jobs[11], jobs[8])] == [(False, None)] * 3
    assert (jobs[11]["slice"], jobs[11]["array"]) == ("1g.10gb", {"job_id": 11, "tasks": "1-3"})


def test_a_worker_that_waits_has_words_of_its_own() -> None:
    """Neither a session nor a run is spoken of, and what helps is fewer workers."""
    jobs = {job["job_id"]: job for job in told(SCHEDULER, REST, RUN)["jobs"]}
    assert jobs[8]["reason"] == "Slurm has not looked at this scheduler yet."
    assert jobs[11]["action"].startswith("Ask for fewer workers")
    assert jobs[20]["reason"] == "Slurm has not looked at this run yet."


def test_a_notebook_reads_the_same_from_the_hub_as_from_slurm() -> None:
    """A cluster's jobs are found by what they say, whoever was asked; those of others are not among them."""
    others = replace(WORKER, id=30, tag=ClusterTag("261122-bbbbbbbb", 1, 7).text)
    jobs = (SESSION, SCHEDULER, WORKER, REST, RUN, others)
    hub, own = from_event(told(*jobs)), from_jobs(jobs, "ann", samples.NOW)
    assert hub is not None
    assert set(hub.of_cluster(CLUSTER)) == set(own.of_cluster(CLUSTER))
    found = {job.job_id: (job.batch, job.array_job_id, job.tasks) for job in hub.of_cluster(CLUSTER)}
    assert found == {8: (0, None, ""), 11: (2, 11, "1-3"), 12: (2, 11, "0")}
    assert [job.cluster for job in hub.jobs if job.job_id in {7, 20}] == ["", ""]
