"""What a probe job's answers mean, and what is sent off with it."""

import json
from dataclasses import replace
from pathlib import Path, PurePath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skiva_hub.doctor.finding import Finding, Level
from skiva_hub.doctor.on_node import nests, sweeps, tracked
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
        (Seen(ran=True, node="n1"), "error", "on n1, and nothing that it wrote can be read here"),
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


def test_a_log_is_read_as_far_as_it_is_written() -> None:
    """The probe's own lines are answers, others are kept as words, an unfinished line waits."""
    seen = Seen()
    lines = ["noise", 'w {"begun": 1}', 'w {"environment": "base", "status": 0}', "w [1]", 'w {"port": 5']
    read_log(lines, "w", seen)
    assert (seen.answers, seen.last_line) == ({"begun": 1}, "noise")
    assert seen.environments["base"]["status"] == 0
    read_log([*lines[:-1], lines[-1] + "}"], "w", seen)
    assert seen.answers == {"begun": 1, "port": 5}


@given(st.text(max_size=200))
def test_no_log_breaks_the_reading_of_it(text: str) -> None:
    """Whatever a node prints, it is taken for words."""
    read_log([f"w {text}", f"w {{{text}}}", text], "w", Seen())


@pytest.mark.parametrize(
    ("nests", "swept", "level", "words"),
    [
        (True, False, "error", "1g.10gb, h100, 2xh100 cannot be kept from who was here before"),
        (True, True, "ok", "An epilog ends what jobs leave in cgroups of their own on mig1"),
        (False, False, None, ""),
    ],
)
def test_what_a_job_could_leave_behind_is_ended_by_an_epilog_or_told(
    nests: bool, swept: bool, level: str | None, words: str
) -> None:
    """Where people make cgroups below their job's, exclusive is only as good as the epilog."""
    seen = good()
    before = judged(seen)
    seen.answers |= {"nests": nests, "swept": swept}
    new = [f for f in judged(seen) if f not in before]
    assert [(f.level, words in f.sentence) for f in new] == ([(level, True)] if level else [])


def test_the_cgroup_by_which_slurm_finds_processes_is_tried(tmp_path: Path) -> None:
    """Of version 1 the freezer's, of version 2 the only one; what takes no other is no way out."""
    v1 = "4:devices:/slurm/x\n3:freezer:/slurm/uid_1/job_2/step_batch\n0::/init.scope\n"
    assert tracked(v1, tmp_path) == tmp_path / "freezer/slurm/uid_1/job_2/step_batch"
    (tmp_path / "cgroup.controllers").touch()
    assert tracked("0::/system.slice/job_2\n", tmp_path) == tmp_path / "system.slice/job_2"
    assert not nests(tmp_path / "none", "x")
    assert not nests(None, "x")
    assert nests(tmp_path, "x")
    assert not (tmp_path / "x").exists()


def test_an_epilog_of_the_sites_own_may_run_ours(tmp_path: Path) -> None:
    """It is known by its name, as one of several, or because a script names it; another one is not."""
    for name, text in (("a.sh", "exec /usr/local/lib/skiva/skiva-epilog\n"), ("b.sh", "exit 0\n")):
        (tmp_path / name).write_text(text)
    assert sweeps(["/usr/local/lib/skiva/skiva-epilog"])
    assert sweeps([f"{tmp_path}/*"])
    assert sweeps([f"{tmp_path}/a.sh"])
    assert not sweeps([f"{tmp_path}/b.sh", "/none"])
    assert not sweeps([])


def test_a_probe_asks_for_what_a_session_would() -> None:
    """The job has the slice's own partition, gres, cores and memory, and a constant script."""
    tag = Tag("doctor", "alice", "", "a" * 16)
    options = sbatch_options(job_request(EMBEDDED, MIG, tag, PurePath("/home/alice")))
    assert f"--output=/home/alice/.local/state/skiva/servers/{'a' * 16}/log" in options
    assert {"--partition=slices", "--gres=gpu:1g.10gb:1", "--cpus-per-task=2", "--mem=2048M"} <= set(options)
    assert orders(EMBEDDED, MIG, "w")["proof"] == ["--device=/var/lib/skiva/dev/*/skiva[0-9]*", "--allowed=1"]
    assert orders(EMBEDDED, EMBEDDED.slice[0], "w")["proof"] == ["--device=/var/lib/skiva/dev/*/skiva[0-9]*"]
    text = script(EMBEDDED.environment[0].python)
    assert text.startswith("#!/bin/sh\nexec /var/lib/skiva/venv/base/bin/python -I - <<'END-OF-PROBE'\n")
    assert text.count("END-OF-PROBE") == 2
