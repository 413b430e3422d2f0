"""A person's session from each form of an environment, on the real Slurm, through the hub."""

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from tests.support.hub import HubClient, HubRefused
from tests.support.images import Images
from tests.support.kernel import run_code

_CELL = """
import errno, glob, json, os, pathlib, sys
def opened(path):
    try:
        os.close(os.open(path, os.O_RDWR))
        return "opened"
    except OSError as problem:
        return errno.errorcode[problem.errno]
pathlib.Path("~/made-in-a-cell").expanduser().write_text("by " + sys.executable)
print(json.dumps({
    "python": sys.executable,
    "uid": os.getuid(),
    "home": os.path.expanduser("~"),
    "file": pathlib.Path("~/data.txt").expanduser().read_text(),
    "cells": [opened(path) for path in sorted(glob.glob("%s/*/*"))],
    "job": os.environ["SLURM_JOB_ID"],
    "digest": os.environ.get("SKIVA_ENVIRONMENT_DIGEST", ""),
}))
"""
_PYTHON = {
    "base": "/venv/base/bin/python",
    "base-oci": "/opt/skiva/bin/python",
    "base-sif": "/opt/skiva/bin/python",
}


_QUEUE = """
import json, os, pathlib, subprocess, time
def run(*argv, stdin=""):
    return subprocess.run(argv, input=stdin, capture_output=True, text=True, check=True).stdout.strip()
said = {"version": run("sbatch", "--version")}
script = "#!/bin/sh\\nid -u\\n"
place = pathlib.Path("~/printed-by-a-job").expanduser()
options = ["--parsable", "--partition=cpu", "--mem=100", "--time=1", "--output=" + str(place)]
number = run("sbatch", *options, stdin=script)
while run("squeue", "--me", "--noheader", "--states=all", "--jobs=" + number, "--format=%T") != "COMPLETED":
    time.sleep(0.1)
held = run("sbatch", *options, "--hold", stdin=script)
said["shown"] = run("scontrol", "--oneliner", "show", "job", held)
said["mine"] = run("squeue", "--me", "--noheader", "--format=%i %u").split("\\n")
run("scancel", held)
said["printed"] = place.read_text().strip()
said["offer"] = json.loads(pathlib.Path(os.environ["SKIVA_RUN_DIR"], "offer.json").read_text())
print(json.dumps(said | {"held": held, "job": os.environ["SLURM_JOB_ID"]}))
"""


_CLUSTER = """
import dask, json, os, skiva, sys
from distributed import Client
def where():
    return [sys.executable, os.environ["SLURM_JOB_ID"]]
with skiva.cluster(slice="cpu", workers=1) as cluster, Client(cluster) as client:
    told = client.submit(where).result(150)
print(json.dumps([told, os.environ["SLURM_JOB_ID"], dask.config.get("distributed.dashboard.link")]))
"""


@pytest.fixture
def hub(cluster: Any) -> Iterator[HubClient]:
    """The hub's API, for administrators; researcher1 has no session afterwards."""
    with HubClient(cluster.url, cluster.admin_token) as client:
        yield client
        with suppress(HubRefused):
            client.stop_server("researcher1")
        client.wait_stopped("researcher1", 60)


@pytest.mark.parametrize("environment", sorted(_PYTHON))
def test_a_session_runs_a_cell(
    hub: HubClient, cluster: Any, images: Images, home: Path, environment: str
) -> None:
    """The server starts, a cell runs in its Python, its slice alone is open, the person's files are there."""
    (home / "data.txt").write_text("mine")
    (home / "data.txt").chmod(0o644)
    choice = {"slice": "1g.10gb", "environment": environment, "hours": 1}
    hub.start_server("researcher1", choice)
    record = hub.wait_ready("researcher1", 120)["state"]["session"]
    token = hub.user_token("researcher1")
    told = json.loads(run_code(f"{cluster.url}/user/researcher1/", token, _CELL % (cluster.dir / "dev")))
    assert told["python"].endswith(_PYTHON[environment])
    assert (told["uid"], told["home"], told["file"]) == (home.stat().st_uid, str(home), "mine")
    assert sorted(told["cells"]) == ["ENXIO"] + ["EPERM"] * 6
    assert int(told["job"]) == int(record["job_id"])
    assert (home / "made-in-a-cell").stat().st_uid == home.stat().st_uid
    if environment != "base":
        assert told["digest"] == images.record.digest


@pytest.mark.parametrize("environment", ["base-oci", "base-sif"])
def test_people_hand_jobs_to_slurm_from_inside_an_image(
    hub: HubClient, cluster: Any, images: Images, home: Path, environment: str
) -> None:
    """The site's own client is in there: sbatch, squeue, scontrol and scancel work, as the person."""
    hub.start_server("researcher1", {"slice": "cpu", "environment": environment, "hours": 1})
    hub.wait_ready("researcher1", 120)
    token = hub.user_token("researcher1")
    told = json.loads(run_code(f"{cluster.url}/user/researcher1/", token, _QUEUE))
    assert told["version"] == cluster.run_as("researcher1", ["/usr/bin/sbatch", "--version"]).stdout.strip()
    assert told["printed"] == str(home.stat().st_uid)
    assert "UserId=researcher1" in told["shown"]
    assert sorted(told["mine"]) == sorted(f"{number} researcher1" for number in (told["held"], told["job"]))
    offered = told["offer"]["environment"]
    assert (offered["id"], offered["digest"]) == (environment, images.record.digest)
    # The file itself, or the directory of a client that brings its own libraries.
    sbatch = Path(told["offer"]["bin"], "sbatch")
    assert any(sbatch.is_relative_to(place) for place in offered["launch"]["binds"] if place != "/")


@pytest.mark.parametrize("environment", ["base-oci", "base-sif"])
def test_workers_of_a_cluster_are_in_the_image_of_its_kernel(
    hub: HubClient, cluster: Any, home: Path, environment: str
) -> None:
    """They are jobs of their own and run the image's Python; Dask's links lead through the session."""
    hub.start_server("researcher1", {"slice": "cpu", "environment": environment, "hours": 1})
    hub.wait_ready("researcher1", 120)
    token = hub.user_token("researcher1")
    printed = run_code(f"{cluster.url}/user/researcher1/", token, _CLUSTER, seconds=180)
    (python, job), session, link = json.loads(printed.splitlines()[-1])
    assert python == "/opt/skiva/bin/python"
    assert job != session
    assert link == "/user/researcher1/proxy/{port}/status"
