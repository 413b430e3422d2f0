"""Trying a build out: its definition's smoke test, run as somebody without rights."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypedDict

__all__ = ["SmokeError", "run_smoke", "unprivileged"]

_NOBODY = 65534
_PASSED_ON = ("LANG", "LC_ALL", "TZ")


class SmokeError(Exception):
    """The smoke test failed; the text is its last words."""


class _Account(TypedDict, total=False):
    user: int
    group: int
    extra_groups: list[int]


def unprivileged() -> _Account:
    """What makes `subprocess` run a program as an account without rights, where the caller is root."""
    if os.geteuid():
        return {}
    return {"user": _NOBODY, "group": _NOBODY, "extra_groups": []}


def run_smoke(
    command: Sequence[str], smoke: Path, *, timeout: float = 300, more: Mapping[str, str] | None = None
) -> None:
    """Give the smoke test to this Python, in an empty home that goes afterwards.

    Raises `SmokeError` where it fails or takes longer than `timeout` seconds.
    """
    home = tempfile.mkdtemp(prefix="skiva-smoke-")
    try:
        if account := unprivileged():
            os.chown(home, account["user"], account["group"])
        env = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        env |= {"HOME": home, "TMPDIR": home, "PATH": "/usr/local/bin:/usr/bin:/bin"}
        done = subprocess.run(
            [*command, "-I", "-"],
            input=smoke.read_text(),
            env=env | dict(more or {}),
            cwd=home,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
            **account,
        )
    except subprocess.TimeoutExpired:
        raise SmokeError(f"its smoke test has not ended in {timeout:.0f} seconds.") from None
    except OSError as error:
        raise SmokeError(f"{command[0]} cannot be run: {error.strerror}.") from error
    finally:
        shutil.rmtree(home, ignore_errors=True)
    if done.returncode:
        words = "\n".join(done.stdout.strip().splitlines()[-8:])
        raise SmokeError(f"its smoke test ends with status {done.returncode}:\n{words}")
