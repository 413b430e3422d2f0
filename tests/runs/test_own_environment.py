"""A person's own environment hands work to the queue, and the work runs in it."""

import json
import os
from pathlib import Path

import pytest
from tests.support.own_environments import make
from tests.support.run_owner import run_owner

pytestmark = [pytest.mark.slurm, pytest.mark.skipif(os.geteuid() != 0, reason="acts as another account")]

_PROGRAM = """
import json, only_here, sys, skiva

def where():
    import only_here, sys
    return [only_here.WORD, sys.executable]

print(json.dumps(skiva.submit(where, name="own").result(120)))
"""


def test_work_runs_in_the_environment_that_sent_it(cluster: object) -> None:
    """With the extra `runs` installed a function finds there what only that environment has."""
    wheel = next(Path(os.environ["SKIVA_TEST_DIR"]).glob("venv/wheel/skiva-*.whl"))
    with run_owner(cluster, "researcher1") as owner:
        prefix = make(owner.place / "own", f"skiva[runs] @ file://{wheel}")
        next(prefix.glob("lib/python3*/site-packages")).joinpath("only_here.py").write_text(
            "WORD = 'found'\n"
        )
        python = str(prefix / "bin/python")
        env = {"SKIVA_RUN_DIR": str(owner.place), "SKIVA_RUNS": str(owner.runs), "LANG": "C.UTF-8"}
        done = owner.cluster.run_as(owner.name, [python, "-c", _PROGRAM], env=env, timeout=180)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout.splitlines()[-1]) == ["found", python]
