"""The hub's side of the helper that acts as a user."""

import asyncio
import sys
from pathlib import Path

import pytest
from tests.fakes.waiting import until

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
