"""The one place where commands run: an argv list, bounded in time and in size, never a shell."""

import asyncio
import os
import signal
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import PurePath
from typing import cast

from skiva_slurm.errors import CommandMissing, CommandTimeout, CommandTooLong, SlurmUnanswered

__all__ = ["CommandMissing", "CommandTimeout", "CommandTooLong", "Completed", "run"]

_MIB = 1024 * 1024
_CHUNK = 65536
_REAP_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Completed:
    """A command that ended by itself. What it wrote is text; bytes that are no UTF-8 are replaced."""

    returncode: int
    stdout: str
    stderr: str


async def run(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    stdin: bytes = b"",
    timeout: float,
    limit: int = 16 * _MIB,
    each: Callable[[bytes], None] | None = None,
) -> Completed:
    """Run `argv` with exactly the environment `env`, in a process group of its own.

    The whole group is killed after `timeout` seconds, when either output exceeds `limit` bytes, and when
    the caller is cancelled. A non-zero exit status is returned, not raised.

    Args:
        each: takes the standard output piece by piece, however long it is, and nothing of it is kept;
            the event loop is free between two pieces.

    Raises:
        CommandMissing: the program is not there or may not be run.
        CommandTimeout: it took longer than `timeout` seconds.
        CommandTooLong: it wrote more than `limit` bytes.
        SlurmUnanswered: the machine could not start it (no memory, no processes, no file handles).
        Exception: whatever `each` raises; the command is killed then.
    """
    name = PurePath(argv[0]).name
    try:
        async with asyncio.timeout(timeout):
            process = await _start(argv, env)
            try:
                out, err = await _exchange(process, stdin, limit, each)
                status = await process.wait()
            except BaseException:
                await _kill(process)
                raise
    except TimeoutError:
        raise CommandTimeout(f"{name} gave no answer within {timeout:g} seconds") from None
    except _TooLong:
        raise CommandTooLong(f"{name} wrote more than {limit} bytes") from None
    return Completed(status, out.decode("utf-8", "replace"), err.decode("utf-8", "replace"))


class _TooLong(Exception):
    pass


async def _start(argv: Sequence[str], env: Mapping[str, str]) -> Process:
    try:
        return await asyncio.create_subprocess_exec(
            *argv, stdin=PIPE, stdout=PIPE, stderr=PIPE, env=dict(env), cwd="/", start_new_session=True
        )
    except (FileNotFoundError, NotADirectoryError, PermissionError) as error:
        raise CommandMissing(f"{argv[0]} cannot be run: {error.strerror}") from error
    except OSError as error:
        raise SlurmUnanswered(f"{argv[0]} could not be started: {error.strerror}") from error


async def _exchange(
    process: Process, stdin: bytes, limit: int, each: Callable[[bytes], None] | None
) -> tuple[bytes, bytes]:
    # Not a TaskGroup: Python 3.11's leaves its parent marked as cancelled, which spoils later time limits.
    feed = asyncio.create_task(_feed(cast(asyncio.StreamWriter, process.stdin), stdin))
    stdout = cast(asyncio.StreamReader, process.stdout)
    out = asyncio.create_task(_pass_on(stdout, each) if each else _read(stdout, limit))
    err = asyncio.create_task(_read(cast(asyncio.StreamReader, process.stderr), limit))
    try:
        await asyncio.wait({feed, out, err}, return_when=asyncio.FIRST_EXCEPTION)
        for task in (out, err, feed):
            if task.done():
                task.result()
        return out.result(), err.result()
    finally:
        for task in (feed, out, err):
            task.cancel()


async def _feed(stream: asyncio.StreamWriter, data: bytes) -> None:
    with suppress(BrokenPipeError, ConnectionResetError):
        stream.write(data)
        await stream.drain()
        stream.close()
        await stream.wait_closed()


async def _read(stream: asyncio.StreamReader, limit: int) -> bytes:
    read = bytearray()
    while chunk := await stream.read(_CHUNK):
        read += chunk
        if len(read) > limit:
            raise _TooLong
    return bytes(read)


async def _pass_on(stream: asyncio.StreamReader, each: Callable[[bytes], None]) -> bytes:
    while chunk := await stream.read(_CHUNK):
        each(chunk)
        await asyncio.sleep(0)  # a stream that has more does not let go of the loop by itself
    return b""


async def _kill(process: Process) -> None:
    """Kill the whole group and wait a moment for it; a process of root's, such as sudo, may stay."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    # A full pipe is no longer read and would never close; asyncio has no public way to let go of it.
    transport = process._transport  # type: ignore[attr-defined]  # noqa: SLF001
    for number in (0, 1, 2):
        if pipe := transport.get_pipe_transport(number):
            pipe.close()
    with suppress(TimeoutError):
        await asyncio.wait_for(asyncio.shield(process.wait()), _REAP_SECONDS)
