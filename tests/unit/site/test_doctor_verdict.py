"""What a probe job's answers mean, and what is sent off with it."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skiva_hub.doctor.finding import Finding, Level
from skiva_hub.doctor.probe import job_request, orders, read_log, script
from skiva_hub.doctor.verdict import Seen, verdict
from skiva_hub.site import Site
from skiva_hub.site_file import load
from skiva_slurm.sbatch import sbatch_options
from skiva_slurm.tags import Tag

EXAMPLES = Path(__file__).parents[3] / "hub_config" / "examples"
EMBEDDED = load(EXAMPLES / "embedded.toml")
MIG = EMBEDDED.slice[1]
PROOF = {
    "devices": {"/dev/a": "open", "/dev/b": "denied"},
    "allowed": 1,
    "openable": 1,
    "memory_limit": 2048 * 1024**2,
    "exclusive": True,
    "sentence": "1 of 2 devices can be opened: those that Slurm gave to this session.",
}


def ran(status: int = 0, error: str = "", **proof: Any) -> dict[str, Any]:
    """The proof as a job tells it."""
    return {"status": status, "out": json.dumps({**PROOF, **proof}) if not error else "", "error": error}


def good() -> Seen:
    """A job with which all is well."""
    return Seen(
        submitted=1000.0,
        noticed=1002.0,
        ran=True,
        over=True,
        node="mig1",
        address="10.0.0.1",
        has_log=True,
        answers={
            "begun": 1000.5,
            "node": "mig1",
            "port": 20001,
            "hub": {"answer": "hub", "words": "JupyterHub 6.1.1"},
            "proof": ran(),
            "ended": 1003.0,
        },
        environments={"base": {"environment": "base", "status": 0, "out": "", "error": ""}},
        call="",
    )


def judged(seen: Seen, site: Site = EMBEDDED) -> list[Finding]:
    """What is found on the slice of MIG instances."""
    return list(verdict(site, [(MIG, seen)]))


def test_a_job_with_which_all_is_well_is_one_sentence() -> None:
    """What was proved is said, with how long the start took."""
    found = judged(good())
    assert [f.level for f in found] == [Level.OK, Level.OK]
    assert found[0].sentence == (
        "Slice 1g.10gb on mig1: began 0.5 s after sbatch. "
        "1 of 2 devices can be opened: those that Slurm gave to this session. "
        "Memory ends at 2048 MB. This machine reaches it at 10.0.0.1."
    )


@pytest.mark.parametrize(
    ("answers", "fields", "level", "words"),
    [
        ({"proof": ran(exclusive=False, sentence="2 of 2 open.")}, {}, "error", "on mig1: 2 of 2 open."),
        ({"proof": ran(memory_limit=None)}, {}, "warning", "nothing limits the memory"),
        ({"proof": ran(memory_limit=64 * 1024**3)}, {}, "warning", "the node allows 65536 MB"),
        (
            {"proof": ran(1, "Traceback\nModuleNotFoundError: x")},
            {},
            "error",
            "does not run on mig1: ModuleNotF",
        ),
        ({"proof": ran(0, " ")}, {}, "error", "does not run on mig1: status 0"),
        ({"proof": None}, {}, "error", "ended without its proof"),
        (
            {"no_port": "no free port from 1 to 2"},
            {},
            "error",
            "no server could listen on mig1: no free port",
        ),
        ({}, {"call": "Connection refused"}, "error", "cannot connect to 10.0.0.1:20001: Connection refused"),
        (
            {"hub": {"answer": "unreachable", "words": "timed out"}},
            {},
            "error",
            "cannot be reached from mig1",
        ),
        ({"hub": {"answer": "untrusted", "words": "self-signed"}}, {}, "error", "not accepted by mig1"),
        ({"begun": 980.0}, {}, "warning", "clock of mig1 differs from this machine's by 20 s"),
        ({"begun": 1402.0}, {}, "error", "clock of mig1 differs from this machine's by 400 s"),
        (
            {},
            {"environments": {"base": {"status": 127, "error": "No such file or directory"}}},
            "error",
            "Environment base does not work on mig1: No such file or directory.",
        ),
    ],
)
def test_each_trouble_of_a_job_has_its_finding_with_a_cure(
    answers: dict[str, Any], fields: dict[str, Any], level: str, words: str
) -> None:
    """One thing wrong in a job's answers is one finding, and nothing is called good that is not."""
    seen = good()
    seen = replace(seen, answers={**seen.answers, **answers}, **fields)
    found = [f for f in judged(seen) if f.level is not Level.OK]
    assert [(f.level, words in f.sentence, bool(f.cure)) for f in found] == [(level, True, True)], found


@pytest.mark.parametrize(
    ("seen", "level", "words"),
    [
        (Seen(reason="Resources"), "warning", "was not proved: its job had to wait. You are next"),
        (Seen(reason="PartitionTimeLimit"), "error", "does not allow so many hours"),
        (
            Seen(ran=True, node="n1", last_line="/x/python: not found"),
            "error",
            "on n1 said: /x/python: not found",
        ),
        (Seen(ran=True, node="n1", has_log=True), "error", "on n1 and left an empty log"),
        (Seen(ran=True, node="n1"), "error", "on n1 and left no log that can be seen here"),
    ],
)
def test_a_job_that_says_nothing_is_told_by_what_became_of_it(seen: Seen, level: str, words: str) -> None:
    """Waiting, a Python that is not there, and a home that is not shared are three different things."""
    (finding,) = judged(seen)
    assert (finding.level, words in finding.sentence, bool(finding.cure)) == (level, True, True), finding


def test_what_all_slices_have_in_common_is_said_once() -> None:
    """A hub that is off and an environment that is not there are one finding each for all nodes."""
    first, second = good(), good()
    for name, seen in (("n1", first), ("n2", second)):
        seen.answers |= {"node": name, "hub": {"answer": "refused", "words": "nobody listens there"}}
        seen.environments["base"] |= {"status": 1, "error": "it lacks jupyterlab"}
    found = list(verdict(EMBEDDED, [(MIG, first), (EMBEDDED.slice[2], second)]))
    wrong = [f.sentence for f in found if f.level is not Level.OK]
    assert wrong == [
        "Environment base does not work on n1, n2: it lacks jupyterlab.",
        "No hub answers at http://127.0.0.1:8000/hub/api, asked from n1, n2: nobody listens there.",
    ]


def test_an_environment_from_which_slurm_is_out_of_reach_is_warned_of() -> None:
    """Sessions start there, but nobody can hand a run to the queue: said once, in the node's words."""
    first, second = good(), good()
    for name, seen in (("n1", first), ("n2", second)):
        seen.answers |= {"node": name}
        seen.environments["base"] |= {"error": "noise NO SLURM [Errno 2] No such file or directory: 'squeue'"}
    found = list(verdict(EMBEDDED, [(MIG, first), (EMBEDDED.slice[2], second)]))
    (wrong,) = [f for f in found if f.level is not Level.OK]
    assert wrong.level is Level.WARNING
    assert wrong.sentence == (
        "From within environment base on n1, n2 Slurm is out of reach: "
        "[Errno 2] No such file or directory: 'squeue'."
    )
    assert "in [cluster]" in wrong.cure


def test_a_site_that_says_it_fences_nothing_is_not_blamed_for_it() -> None:
    """What the pages say is true already; the proof's own sentence is told."""
    site = EMBEDDED.model_copy(update={"cluster": EMBEDDED.cluster.model_copy(update={"fenced": False})})
    seen = good()
    seen.answers["proof"] = ran(exclusive=False, sentence="7 of 7 open.", memory_limit=None)
    found = judged(seen, site)
    assert [f.level for f in found] == [Level.OK, Level.OK]
    assert "7 of 7 open." in found[0].sentence


def test_a_log_is_read_as_far_as_it_is_written(tmp_path: Path) -> None:
    """The probe's own lines are answers, others are kept as words, an unfinished line waits."""
    seen, path = Seen(), tmp_path / "log"
    read_log(path, "w", seen)
    assert not seen.has_log
    path.write_text('noise\nw {"begun": 1}\nw {"environment": "base", "status": 0}\nw [1]\nw {"port": 5')
    read_log(path, "w", seen)
    assert (seen.answers, seen.last_line) == ({"begun": 1}, "noise")
    assert seen.environments["base"]["status"] == 0
    path.write_text(path.read_text() + "}\n")
    read_log(path, "w", seen)
    assert seen.answers == {"begun": 1, "port": 5}


@given(st.binary(max_size=200))
def test_no_log_breaks_the_reading_of_it(data: bytes) -> None:
    """Whatever a node prints, it is taken for words."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log"
        path.write_bytes(b"w " + data + b"\nw {" + data + b"}\n")
        read_log(path, "w", Seen())


def test_a_probe_asks_for_what_a_session_would(tmp_path: Path) -> None:
    """The job has the slice's own partition, gres, cores and memory, and a constant script."""
    tag = Tag("doctor", "alice", "", "a" * 24).text
    options = sbatch_options(job_request(EMBEDDED, MIG, tag, tmp_path / "log"))
    assert {"--partition=slices", "--gres=gpu:1g.10gb:1", "--cpus-per-task=2", "--mem=2048M"} <= set(options)
    assert orders(EMBEDDED, MIG, "w")["proof"] == ["--device=/var/lib/skiva/dev/*/skiva[0-9]*", "--allowed=1"]
    assert orders(EMBEDDED, EMBEDDED.slice[0], "w")["proof"] == ["--device=/var/lib/skiva/dev/*/skiva[0-9]*"]
    text = script(EMBEDDED.environment[0].python)
    assert text.startswith("#!/bin/sh\nexec /var/lib/skiva/venv/base/bin/python -I - <<'END-OF-PROBE'\n")
    assert text.count("END-OF-PROBE") == 2
