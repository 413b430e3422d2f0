"""Commands run bounded in time and size, and leave nothing behind."""

import asyncio
import os
import sys
from pathlib import Path

import pytest
from tests.fakes.waiting import until

from skiva_slurm.errors import SlurmUnanswered
from skiva_slurm.runner import CommandMissing, CommandTimeout, CommandTooLong, run

ENV = {"PATH": "/usr/bin:/bin"}


def program(directory: Path, text: str) -> str:
    path = directory / "program"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def gone(pid_file: Path) -> bool:
    """Whether the process whose number is in `pid_file` has ended."""
    try:
        stat = Path(f"/proc/{int(pid_file.read_text())}/stat").read_text()
    except FileNotFoundError:
        return True
    return stat.rpartition(")")[2].split()[0] == "Z"


async def test_output_status_and_input_come_through(tmp_path: Path) -> None:
    """A failing command is an answer too, with what it wrote."""
    text = program(tmp_path, "cat; printf 'no\\377' >&2; exit 3")
    done = await run([text], env=ENV, stdin=b"in\xff", timeout=10)
    assert (done.returncode, done.stdout, done.stderr) == (3, "in\ufffd", "no\ufffd")
    assert (await run([text], env=ENV, timeout=10)).stdout == ""


async def test_a_command_runs_where_nothing_of_the_callers_is() -> None:
    """A working directory that is gone, or that the account may not enter, does not matter."""
    assert (await run(["/bin/pwd"], env=ENV, timeout=10)).stdout == "/\n"


async def test_arguments_meet_no_shell() -> None:
    """Metacharacters are letters."""
    evil = "$(id); `id` | & > * ~ ' \" \\ \n"
    assert (await run(["/usr/bin/printf", "%s", evil], env=ENV, timeout=10)).stdout == evil


async def test_the_environment_is_the_given_one_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the caller's environment leaks."""
    monkeypatch.setenv("SECRET", "canary")
    assert (await run(["/usr/bin/env"], env={"A": "b"}, timeout=10)).stdout == "A=b\n"


async def test_a_hanging_command_dies_with_its_children(tmp_path: Path) -> None:
    """After the time limit the whole process group is gone, also what the command started."""
    text = f"sleep 1000 & echo $! > {tmp_path}/child; echo $$ > {tmp_path}/self; wait"
    with pytest.raises(CommandTimeout, match=r"program gave no answer within 0.3 seconds"):
        await run([program(tmp_path, text)], env=ENV, timeout=0.3)
    await until(lambda: gone(tmp_path / "child"))
    await until(lambda: gone(tmp_path / "self"))


async def test_a_child_that_keeps_the_output_open_does_not_hold_us(tmp_path: Path) -> None:
    """A command that ends but leaves a child on its output counts as unanswered, and the child is ended."""
    with pytest.raises(CommandTimeout):
        await run([program(tmp_path, f"sleep 1000 & echo $! > {tmp_path}/child")], env=ENV, timeout=0.3)
    await until(lambda: gone(tmp_path / "child"))


async def test_being_cancelled_ends_the_command(tmp_path: Path) -> None:
    """Whoever gives up waiting leaves no process behind."""
    text = f"echo $$ > {tmp_path}/self.new; mv {tmp_path}/self.new {tmp_path}/self; exec sleep 1000"
    task = asyncio.create_task(run([program(tmp_path, text)], env=ENV, timeout=100))
    await until((tmp_path / "self").exists)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until(lambda: gone(tmp_path / "self"))


async def test_a_flood_is_cut_off() -> None:
    """More output than the limit ends the command, not the hub's memory."""
    with pytest.raises(CommandTooLong, match=r"^yes wrote more than 100000 bytes$"):
        await run(["/usr/bin/yes"], env=ENV, timeout=30, limit=100_000)
    with pytest.raises(CommandTooLong):
        await run(["/bin/sh", "-c", "yes >&2"], env=ENV, timeout=30, limit=100_000)


async def test_as_much_as_the_limit_is_no_flood() -> None:
    """The limit itself may be written; one letter more may not."""
    assert (
        len((await run(["/usr/bin/printf", "%1000d", "1"], env=ENV, timeout=10, limit=1000)).stdout) == 1000
    )
    with pytest.raises(CommandTooLong):
        await run(["/usr/bin/printf", "%1001d", "1"], env=ENV, timeout=10, limit=1000)


async def test_a_long_output_is_passed_on_piece_by_piece_and_others_have_their_turn() -> None:
    """It is not bounded and not kept; between two pieces the loop does what else is waiting."""
    seen: list[int] = []
    turns: list[int] = []

    async def other() -> None:
        while True:
            turns.append(len(seen))
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    wrote = 3_000_000
    argv = ["/usr/bin/head", "-c", str(wrote), "/dev/zero"]
    done = await run(argv, env=ENV, timeout=30, limit=1000, each=lambda piece: seen.append(len(piece)))
    task.cancel()
    assert (done.stdout, done.returncode, sum(seen)) == ("", 0, wrote)
    assert len(seen) > 10
    assert set(range(1, len(seen))) <= set(turns)


async def test_who_cannot_read_an_output_ends_the_command(tmp_path: Path) -> None:
    """What is wrong with it comes out as it was raised, and nothing stays behind."""

    def refuse(piece: bytes) -> None:
        raise SlurmUnanswered("garbled")

    text = program(tmp_path, f"echo $$ > {tmp_path}/self; echo x; sleep 1000")
    with pytest.raises(SlurmUnanswered, match=r"^garbled$"):
        await run([text], env=ENV, timeout=30, each=refuse)
    await until(lambda: gone(tmp_path / "self"))


async def test_what_the_machine_cannot_start_is_named() -> None:
    """The program is there, so it is not said to be missing."""
    with pytest.raises(SlurmUnanswered, match=r"^/bin/true could not be started: Argument list too long$"):
        await run(["/bin/true", "x" * 200_000], env=ENV, timeout=10)


async def test_time_limits_still_work_after_a_flood() -> None:
    """One failure does not spoil the next command's time limit."""
    with pytest.raises(CommandTooLong):
        await run(["/usr/bin/yes"], env=ENV, timeout=30, limit=1000)
    with pytest.raises(CommandTimeout):
        await run(["/usr/bin/sleep", "1000"], env=ENV, timeout=0.1)


@pytest.mark.parametrize(
    "path", ["/nonexistent/squeue", "/etc/passwd", "/etc/passwd/squeue", "squeue-that-is-not-there"]
)
async def test_a_missing_program_is_named(path: str) -> None:
    """What is not there, or may not be run, is told apart from a failure."""
    with pytest.raises(CommandMissing, match=path):
        await run([path], env=ENV, timeout=10)


async def test_running_out_of_handles_is_silence_not_death() -> None:
    """When the machine can start nothing more, Slurm counts as unanswered."""
    code = (
        "import asyncio, resource, sys\n"
        "from skiva_slurm.errors import SlurmUnanswered\n"
        "from skiva_slurm.runner import run\n"
        "async def main():\n"
        "    resource.setrlimit(resource.RLIMIT_NOFILE, (8, 8))\n"
        "    try:\n"
        "        await run(['/bin/true'], env={}, timeout=10)\n"
        "    except SlurmUnanswered as error:\n"
        "        print('unanswered', error)\n"
        "asyncio.run(main())\n"
    )
    env = {**ENV, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = await run([sys.executable, "-c", code], env=env, timeout=30)
    assert done.stdout.startswith("unanswered /bin/true could not be started"), done.stderr


async def test_many_at_once_are_answered() -> None:
    """A storm of commands does not mix up answers."""
    done = await asyncio.gather(*(run(["/bin/echo", str(n)], env=ENV, timeout=30) for n in range(30)))
    assert [int(one.stdout) for one in done] == list(range(30))


def test_every_failure_is_silence() -> None:
    """All errors of the runner are kinds of silence, so none is ever taken for an end."""
    assert all(
        issubclass(error, SlurmUnanswered) for error in (CommandMissing, CommandTimeout, CommandTooLong)
    )
