"""The doctor's probes with a helper that answers as it is told: what it is sent, and what is taken back."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.fakes.waiting import until

from skiva_hub.doctor.facts import Facts
from skiva_hub.doctor.finding import Finding, Level
from skiva_hub.doctor.helper import Way, myself
from skiva_hub.doctor.probe import probe
from skiva_hub.site import Site
from skiva_hub.site_file import load

EXAMPLES = Path(__file__).parents[3] / "hub_config" / "examples"


class Helper:
    """Answers each action by a line of Python, and writes down what it was asked."""

    def __init__(self, root: Path, **answers: dict[str, Any]) -> None:
        self.asked_file = root / "asked"
        self.go = root / "go"
        program = root / "helper.py"
        program.write_text(f"""
import json, pathlib, sys, time
asked = json.load(sys.stdin)
with open({str(self.asked_file)!r}, "a") as file:
    file.write(json.dumps(asked) + "\\n")
while asked["action"] == "submit" and not pathlib.Path({str(self.go)!r}).exists():
    time.sleep(0.02)
print(json.dumps({answers!r}.get(asked["action"]) or {{}}))
""")
        self.way = Way(myself(), (sys.executable, str(program), "{user}"), as_hub=True)

    def asked(self, action: str) -> list[dict[str, Any]]:
        """The requests of one kind, in their order."""
        lines = self.asked_file.read_text().splitlines() if self.asked_file.exists() else []
        return [request for request in map(json.loads, lines) if request["action"] == action]


def one_slice(tmp_path: Path, **changes: Any) -> Site:
    """The embedded example with its slice h100 alone, whose Slurm answers nothing."""
    data = load(EXAMPLES / "embedded.toml").model_dump()
    data["slice"] = [{**row, **changes} for row in data["slice"] if row["id"] == "h100"]
    data["hours"] |= {"extend_by": 1.0, "extend_as": "operator"}
    data["cluster"]["bin"] = tmp_path / "no-slurm"
    return Site.model_validate(data)


def probing(site: Site, helper: Helper) -> "asyncio.Task[list[Finding]]":
    """The probes, which wait half a second for Slurm."""
    return asyncio.create_task(probe(site, Facts(), helper.way, patience=0.5, tell=lambda _: None))


async def test_a_job_whose_submission_is_interrupted_is_cancelled_all_the_same(tmp_path: Path) -> None:
    """The helper cannot be called back: its answer is waited for, and the job taken back by its number."""
    helper = Helper(tmp_path, submit={"submitted": [0, "42\n", ""]}, cancel={"cancelled": 42})
    task = probing(one_slice(tmp_path), helper)
    await until(lambda: bool(helper.asked("submit")), 20)
    task.cancel()
    helper.go.touch()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [request["job_id"] for request in helper.asked("cancel")] == [42]
    (submitted,), (forgotten,) = helper.asked("submit"), helper.asked("forget")
    assert (forgotten["nonce"], forgotten["with_log"]) == (submitted["nonce"], True)


async def test_more_hours_are_tried_as_the_operator_on_one_job(tmp_path: Path) -> None:
    """What Slurm says to it is an error of its own, beside what became of the job."""
    helper = Helper(
        tmp_path,
        submit={"submitted": [0, "42\n", ""]},
        cancel={"cancelled": 42},
        extend={"refused": "Access/permission denied for job 42"},
    )
    helper.go.touch()
    found = await probing(one_slice(tmp_path), helper)
    assert [(r["job_id"], r["minutes"]) for r in helper.asked("extend")] == [(42, 6)]
    wrong = [f for f in found if "A session cannot be extended" in f.sentence]
    assert [("denied for job 42" in f.sentence, "operator" in f.cure) for f in wrong] == [(True, True)]


@pytest.mark.parametrize(
    ("changes", "level", "cure"),
    [
        ({}, Level.ERROR, "give {me} the right to use it"),
        ({"users": ["carla"]}, Level.WARNING, "It is for carla alone: run the doctor with --user"),
    ],
)
async def test_a_refusal_is_wrong_only_where_the_slice_is_for_that_person(
    tmp_path: Path, changes: dict[str, Any], level: Level, cure: str
) -> None:
    """What is kept for others is proved as one of them."""
    words = "sbatch: error: Batch job submission failed: Invalid qos specification\n"
    helper = Helper(tmp_path, submit={"submitted": [1, "", words]})
    helper.go.touch()
    (finding,) = await probing(one_slice(tmp_path, **changes), helper)
    assert finding.level is level
    assert "Slice h100: You may not use this slice's quality of service" in finding.sentence
    assert cure.format(me=myself()) in finding.cure


async def test_a_person_as_whom_nothing_can_be_done_is_told_once(tmp_path: Path) -> None:
    """A home that is missing is the same trouble on every slice."""
    helper = Helper(tmp_path, submit={"error": "No home directory (/home/emil)"})
    helper.go.touch()
    data = one_slice(tmp_path).model_dump()
    data["slice"] = [*data["slice"], {**data["slice"][0], "id": "other"}]
    (finding,) = await probing(Site.model_validate(data), helper)
    assert finding.sentence.startswith(
        f"Nothing was proved as {myself()}: Your home directory /home/emil is not"
    )
