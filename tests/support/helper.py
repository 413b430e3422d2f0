"""The helper as it is installed, with stand-ins for Slurm's commands."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

__all__ = ["NONCE", "Helper"]

ACT = Path(__file__).parents[2] / "spawners" / "skiva_spawners" / "act.py"
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
        self.path.write_bytes(ACT.read_bytes())
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
