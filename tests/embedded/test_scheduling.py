"""How the embedded Slurm is set up to decide: quickly, and in favour of sessions."""

import os
import time
from typing import Any

import pytest

pytestmark = [pytest.mark.slurm, pytest.mark.skipif(os.geteuid() != 0, reason="acts as several accounts")]

_INSTANCE = ("--gres=gpu:1g.10gb:1", "--mem=100", "--output=/dev/null")


def _cancel(cluster: Any, *jobs: int) -> None:
    cluster.run_as("root", ["/usr/bin/scancel", *map(str, jobs)])
    for job in jobs:
        cluster.wait_state(job, "CANCELLED", "COMPLETED", "FAILED")


def test_a_session_takes_the_place_of_a_low_priority_job(cluster: Any) -> None:
    """With all instances out to `lowprio`, a job in `slices` has one requeued and starts."""
    low = [cluster.submit("researcher2", "-p", "lowprio", *_INSTANCE, script="sleep 1000") for _ in range(7)]
    jobs = list(low)
    try:
        for job in low:
            cluster.wait_state(job, "RUNNING")
        jobs.append(cluster.submit("researcher1", "-p", "slices", *_INSTANCE, script="sleep 1000"))
        cluster.wait_state(jobs[-1], "RUNNING", seconds=40)
        assert sorted(cluster.job_state(job) for job in low) == ["PENDING"] + ["RUNNING"] * 6
    finally:
        _cancel(cluster, *jobs)


def test_a_job_starts_within_moments(cluster: Any) -> None:
    """Where something is free a job runs within seconds of its submission."""
    waited = []
    for _ in range(5):
        began = time.monotonic()
        job = cluster.submit(
            "researcher3", "-p", "cpu", "--mem=100", "--output=/dev/null", script="sleep 1000"
        )
        cluster.wait_state(job, "RUNNING")
        waited.append(time.monotonic() - began)
        _cancel(cluster, job)
    assert sorted(waited)[2] < 3


def test_what_can_never_run_is_refused_at_once(cluster: Any) -> None:
    """Asking for more time or more GPUs than any node has is answered by sbatch, not by waiting for ever."""
    for options, words in (
        (("-p", "slices", "--time=2-00:00:00"), "Requested time limit is invalid"),
        (("-p", "gpu", "--gres=gpu:h100:3"), "Requested node configuration is not available"),
    ):
        done = cluster.run_as("researcher1", ["/usr/bin/sbatch", *options], stdin="#!/bin/sh\ntrue\n")
        assert done.returncode != 0
        assert f"Batch job submission failed: {words}" in done.stderr


def test_expected_starts_are_told(cluster: Any, wait_for: Any) -> None:
    """Who waits while both GPU nodes are out sees when a place may be free."""
    options = ("-p", "gpu", "--gres=gpu:h100:2", "--mem=100", "--output=/dev/null", "--time=30")
    jobs = [cluster.submit("researcher1", *options, script="sleep 1000") for _ in range(3)]
    try:
        for job in jobs[:2]:
            cluster.wait_state(job, "RUNNING")
        shown = ["/usr/bin/squeue", "--noheader", "--format=%S", f"--jobs={jobs[2]}"]
        wait_for(
            lambda: cluster.run_as("researcher1", shown).stdout.strip() not in ("", "N/A"),
            seconds=40,
            what="an expected start",
        )
    finally:
        _cancel(cluster, *jobs)
