"""The helper, as it is installed or in this process, with stand-ins for Slurm's commands."""

import contextlib
import io
import json
import os
import pwd
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from skiva_spawners import act

__all__ = ["NONCE", "Helper", "ImportedHelper"]

NONCE = "0123456789abcdef"


class Helper:
    """The helper as installed: a copy with its configuration beside it, and scripts for Slurm's commands."""

    def __init__(self, root: Path, home: Path) -> None:
        self.home = home
        self.calls = root / "calls"
        (root / "libexec").mkdir()
        (root / "etc").mkdir()
        (root / "bin").mkdir()
        self.path = root / "libexec" / "skiva-act"
        self.path.write_bytes(Path(act.__file__).read_bytes())
        config = {
            "bin": str(root / "bin"),
            "env": {"SLURM_CONF": "/x/slurm.conf"},
            "run_dirs": ".local/state/skiva",
        }
        (root / "etc" / "act.json").write_text(json.dumps(config))
        self.slurm("sbatch", "echo 42")
        self.slurm("scancel", "exit 0")

    def slurm(self, command: str, body: str) -> None:
        """Let Slurm's `command` do `body`, after it has written down how it was called."""
        script = self.path.parent.parent / "bin" / command
        script.write_text(f'#!/bin/sh\n{{ printf "%s\\n" "$@"; env; cat; }} > {self.calls}\n{body}\n')
        script.chmod(0o755)

    def ask(self, request: object) -> dict[str, Any]:
        """Send one request."""
        done = subprocess.run(
            [sys.executable, "-I", str(self.path)],
            input=json.dumps(request),
            env={"SECRET_OF_THE_HUB": "canary", "LD_PRELOAD": ""},
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        )
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer


class ImportedHelper(Helper):
    """The same in this process, where mutations of its code are seen."""

    def ask(self, request: object) -> dict[str, Any]:
        """Answer one request."""
        me = pwd.getpwuid(os.getuid())
        person = SimpleNamespace(pw_name=me.pw_name, pw_shell=me.pw_shell, pw_dir=str(self.home))
        umask, told = os.umask(0o022), io.StringIO()
        with (
            patch.object(act, "pwd", SimpleNamespace(getpwuid=lambda _: person)),
            patch.object(act, "_config_path", lambda: self.path.parent.parent / "etc" / "act.json"),
            patch("sys.stdin", SimpleNamespace(buffer=io.BytesIO(json.dumps(request).encode()))),
            contextlib.redirect_stdout(told),
            contextlib.suppress(SystemExit),
        ):
            try:
                act.main()
            finally:
                os.umask(umask)
        answer: dict[str, Any] = json.loads(told.getvalue())
        return answer
