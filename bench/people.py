"""Temporary Linux accounts that may have sessions, for as long as a measurement lasts."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_GROUP = "skiva-users"


@contextmanager
def people(count: int, homes: Path) -> Iterator[list[str]]:
    """Make accounts with homes below `homes`; remove both afterwards."""
    names = [f"bench{os.getpid()}n{number}" for number in range(1, count + 1)]
    homes.mkdir(mode=0o755, exist_ok=True)
    made: list[str] = []
    try:
        for name in names:
            look = (
                "--create-home",
                "--base-dir",
                str(homes),
                "--key",
                "HOME_MODE=0700",
                "--shell",
                "/bin/bash",
            )
            subprocess.run(["/usr/sbin/useradd", "--user-group", *look, "--groups", _GROUP, name], check=True)
            made.append(name)
        yield names
    finally:
        for name in made:
            subprocess.run(
                ["/usr/sbin/userdel", "--force", "--remove", name], capture_output=True, check=False
            )
