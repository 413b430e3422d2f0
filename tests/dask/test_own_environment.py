"""A person's own environment starts a cluster on slices, and its workers run in it."""

import json
import os
from pathlib import Path

import pytest
from tests.support.own_environments import make
from tests.support.run_owner import run_owner

pytestmark = [pytest.mark.slurm, pytest.mark.skipif(os.geteuid() != 0, reason="acts as another account")]

_PROGRAM = """
import json
import skiva
from distributed import Client

def where():
    import only_here, sys
    return [only_here.WORD, sys.executable]

with skiva.cluster(slice="cpu", workers=1) as cluster, Client(cluster) as client:
    print(json.dumps([client.submit(where).result(150), cluster.scheduler_address]))
"""


def test_workers_run_in_the_environment_that_started_them(cluster: object) -> None:
    """With the extra `dask` installed a task finds on a worker what only that environment has."""
    wheel = next(Path(os.environ["SKIVA_TEST_DIR"]).glob("venv/wheel/skiva-*.whl"))
    with run_owner(cluster, "researcher1") as owner:
        prefix = make(owner.place / "own", f"skiva[dask] @ file://{wheel}")
        next(prefix.glob("lib/python3*/site-packages")).joinpath("only_here.py").write_text(
            "WORD = 'found'\n"
        )
        told = owner.place / "offer.json"
        offer = json.loads(told.read_text())
        offer["slices"] = [one | {"memory_mb": 500} for one in offer["slices"]]
        told.write_text(json.dumps(offer))
        env = {
            "SKIVA_RUN_DIR": str(owner.place),
            "SKIVA_CLUSTERS": str(owner.place / "clusters"),
            "LANG": "C.UTF-8",
        }
        python = str(prefix / "bin/python")
        done = owner.cluster.run_as(owner.name, [python, "-c", _PROGRAM], env=env, timeout=240)
        assert done.returncode == 0, done.stdout + done.stderr
        found, address = json.loads(done.stdout.splitlines()[-1])
        assert found == ["found", python]
        assert address.startswith("tls://")
