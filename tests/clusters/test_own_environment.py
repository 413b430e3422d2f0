"""A person's own environment starts clusters on slices, and their workers run in it."""

import json
import os
from pathlib import Path

import pytest
from tests.support.cluster_owner import cluster_owner
from tests.support.own_environments import make

pytestmark = [pytest.mark.slurm, pytest.mark.skipif(os.geteuid() != 0, reason="acts as another account")]

_PROGRAM = """
import json, sys
import skiva
from distributed import Client

def where():
    import only_here, os, sys
    return [only_here.WORD, sys.executable, bool(os.environ.get("CUDA_VISIBLE_DEVICES"))]

if __name__ == "__main__":
    with skiva.cluster(slice=sys.argv[1]) as cluster, Client(cluster) as client:
        print(json.dumps(client.submit(where).result(150)))
"""


@pytest.mark.parametrize(("extra", "piece"), [("dask", "cpu"), ("dask-cuda", "1g.10gb")])
def test_workers_run_in_the_environment_that_started_them(cluster: object, extra: str, piece: str) -> None:
    """With one extra of Skiva's a task finds what only that environment has, and its GPU where it has one."""
    wheel = next(Path(os.environ["SKIVA_TEST_DIR"]).glob("venv/wheel/skiva-*.whl"))
    with cluster_owner(cluster, "researcher1") as owner:
        prefix = make(owner.place / "own", f"skiva[{extra}] @ file://{wheel}")
        next(prefix.glob("lib/python3*/site-packages")).joinpath("only_here.py").write_text(
            "WORD = 'found'\n"
        )
        env = {"SKIVA_RUN_DIR": str(owner.place), "LANG": "C.UTF-8", **owner.env}
        python = str(prefix / "bin/python")
        program = [python, "-c", _PROGRAM, piece]
        done = owner.cluster.run_as(owner.name, program, env=env, timeout=240)
        assert done.returncode == 0, done.stdout + done.stderr
        assert json.loads(done.stdout.splitlines()[-1]) == ["found", python, extra == "dask-cuda"]
