"""The hub's side of the helper that acts as a user."""

import asyncio
import os
import pwd
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.fakes.waiting import until
from tests.support.helper import NONCE, Helper

from skiva_slurm.errors import Refused, SlurmUnanswered
from skiva_slurm.rights import Rules
from skiva_spawners.acting import Actor
from skiva_spawners.errors import ActingFailed


async def test_who_stops_their_helpers_holds_up_nobody_else(tmp_path: Path) -> None:
    """Helpers run as people, who may stop them: of one account only so many are waited for at once."""
    helper = f"""
import pathlib, sys, time
pathlib.Path({str(tmp_path)!r}, f"{{sys.argv[1]}}-{{time.monotonic_ns()}}").touch()
while sys.argv[1] == "mallory" and not pathlib.Path({str(tmp_path)!r}, "over").exists():
    time.sleep(0.05)
print("{{}}")
"""

    def begun() -> int:
        return len(list(tmp_path.glob("mallory-*")))

    actor = Actor(helper=(sys.executable, "-c", helper, "{user}"), timeout=60)
    held = [asyncio.create_task(actor.forget("mallory", "0123456789abcdef")) for _ in range(40)]
    await until(lambda: begun() == 4, 60)
    await actor.forget("researcher1", "0123456789abcdef")
    assert begun() == 4
    await asyncio.to_thread((tmp_path / "over").touch)
    await asyncio.gather(*held)
    assert begun() == 40


@pytest.mark.parametrize("helper", ["installed"], indirect=True)
async def test_the_hub_and_the_helper_understand_each_other(helper: Helper) -> None:
    """Each thing that the hub asks, with the answer that the helper as it is installed gives."""
    me = pwd.getpwuid(os.getuid()).pw_name
    actor = Actor(helper=(sys.executable, "-I", str(helper.path)))
    wish: dict[str, Any] = {"options": ["--parsable"], "script": "#!/bin/sh\n", "server": "{}"}
    assert await actor.submit(me, nonce=NONCE, **wish) == 42
    run_dir = helper.home / ".local/state/skiva" / NONCE
    (run_dir / "log").write_text("".join(f"line {number}\n" for number in range(20)))
    assert await actor.log_tail(me, NONCE, lines=2) == ("line 18", "line 19")
    assert await actor.log_tail(me, "f" * 16) == ()
    await actor.forget(me, NONCE)
    assert [path.name for path in run_dir.iterdir()] == ["log"]
    await actor.forget(me, NONCE, with_log=True)
    assert not run_dir.exists()
    await actor.cancel(me, 7)
    assert helper.calls.read_text().startswith("7\n")
    helper.slurm("squeue", "echo RUNNING")
    assert await actor.shown(me, 7) == "RUNNING"
    helper.slurm("scontrol", "exit 0")
    await actor.extend(me, 7, 90)
    assert helper.calls.read_text().startswith("update\nJobId=7\nTimeLimit=90\n")


@pytest.mark.parametrize("helper", ["installed"], indirect=True)
async def test_what_slurm_refuses_the_helper_is_told_as_a_refusal(helper: Helper) -> None:
    """No answer is another thing: the job may be there, or its limit another."""
    me = pwd.getpwuid(os.getuid()).pw_name
    actor = Actor(helper=(sys.executable, "-I", str(helper.path)))
    wish: dict[str, Any] = {"options": [], "script": "#!/bin/sh\n", "server": "{}"}
    helper.slurm("sbatch", "echo 'sbatch: error: Invalid account' >&2; exit 1")
    with pytest.raises(Refused):
        await actor.submit(me, nonce=NONCE, **wish)
    for program, asked in (("scancel", actor.cancel(me, 7)), ("scontrol", actor.extend(me, 7, 90))):
        helper.slurm(program, "echo 'Access/permission denied' >&2; exit 1")
        with pytest.raises(Refused):
            await asked
    helper.slurm("sbatch", "echo 'Unable to contact slurm controller' >&2; exit 1")
    with pytest.raises(SlurmUnanswered):
        await actor.submit(me, nonce="f" * 16, **wish)


async def test_without_a_word_for_the_account_the_hub_serves_its_own_alone() -> None:
    """A helper that is no other account's would act as the hub."""
    with pytest.raises(ActingFailed, match="alone"):
        await Actor(helper=(sys.executable, "-c", "print('{}')")).forget("somebody-else", NONCE)


@pytest.mark.parametrize("answer", ["{}", '{"shown": 5}', '{"shown": null}'])
async def test_an_answer_that_says_nothing_is_no_answer(answer: str) -> None:
    """Whoever answers in place of the helper cannot make a job vanish by saying nothing."""
    actor = Actor(helper=(sys.executable, "-c", f"print({answer!r})", "{user}"))
    with pytest.raises(ActingFailed):
        await actor.shown("researcher1", 7)


@pytest.mark.parametrize("answer", ["{}", '{"rights": "", "limits": "", "uid": "x", "groups": []}', "[]"])
async def test_an_answer_without_rights_is_no_answer(answer: str) -> None:
    """Whoever answers in place of the helper changes nothing by saying nothing."""
    actor = Actor(helper=(sys.executable, "-c", f"print({answer!r})", "{user}"))
    with pytest.raises(ActingFailed):
        await actor.rights("researcher1", Rules())


@pytest.mark.parametrize(
    ("does", "words"),
    [
        (
            """print('{"error": "No home directory (/home/emil)"}')""",
            """Your home directory /home/emil is not on the hub's machine, so no session can start: ask the
            operators of this cluster to make it, or sign in to the cluster once if that makes it.""",
        ),
        (
            """print('{"error": "Permission denied (/home/emil/.local)"}')""",
            """Your session could not be prepared: Permission denied (/home/emil/.local). Make that place
            writable for yourself, or ask the operators of this cluster.""",
        ),
        (
            """print('{"error": "Disk quota exceeded (/home/emil/.local)"}')""",
            "Your home directory is full, so no session can start: remove files, or ask for more space.",
        ),
        (
            """print('{"error": "Input/output error (/home/emil)"}')""",
            """Your session could not be prepared: Input/output error (/home/emil).
            Ask the operators of this cluster.""",
        ),
        *(
            (
                f"import sys; sys.stderr.write({said!r} + chr(10)); sys.exit(1)",
                f"""emil may not use this hub yet: ask the operators of this cluster to add you to the people
                whom its sudoers line names. ({said})""",
            )
            for said in (
                "sudo: a password is required",
                "Sorry, user skiva-hub is not allowed to execute '/x/skiva-act' as emil on head.",
                "sudo: unknown user emil",
            )
        ),
        (
            "import sys; sys.stderr.write('out of luck')",
            "The hub cannot act as emil: out of luck. Ask the operators of this cluster.",
        ),
    ],
)
async def test_whoever_cannot_start_is_told_what_to_do(does: str, words: str) -> None:
    """A home that is missing, closed or full, an account that the hub may not act as: each has its cure."""
    actor = Actor(helper=(sys.executable, "-c", does, "{user}"))
    with pytest.raises(ActingFailed) as caught:
        await actor.forget("emil", "0123456789abcdef")
    assert str(caught.value) == " ".join(words.split())


async def test_whoever_is_cancelled_does_not_wait_for_the_helper(tmp_path: Path) -> None:
    """Cancel is heard at once, also while a helper that cannot be killed is still at work."""
    at_work = tmp_path / "at-work"
    helper = f"import pathlib, time; pathlib.Path({str(at_work)!r}).touch(); time.sleep(3); print('{{}}')"
    actor = Actor(helper=(sys.executable, "-c", helper, "{user}"), timeout=10)
    asking = asyncio.create_task(actor.forget("researcher1", "0123456789abcdef"))
    while not at_work.exists():  # noqa: ASYNC110 - another process makes it
        await asyncio.sleep(0.01)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    assert others, "the helper is still being listened to"
    await asyncio.wait(others)
