"""Jupyter servers with jupyter-scheduler in front of Slurm, as the manual says to set them up."""

import os
import re
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from tests.support.waiting import wait_until

__all__ = ["SchedulerServer", "configuration"]

_ROOT = Path(__file__).parents[2]


def configuration() -> str:
    """The lines of configuration that the manual has."""
    page = (_ROOT / "docs/operators/jupyter-scheduler.md").read_text()
    found = re.search(r"```python\n(.*?)```", page, re.DOTALL)
    assert found, "the manual has no lines of configuration"
    return found[1]


@dataclass
class SchedulerServer:
    """One server in a home; several may share that.

    Attributes:
        home: also what its file browser shows.
        env: what its programs find besides.
        lab: whether it serves JupyterLab too.
    """

    home: Path
    port: int
    env: dict[str, str]
    lab: bool = False
    process: "subprocess.Popen[bytes] | None" = field(default=None)

    def start(self) -> "SchedulerServer":
        """Begin, and wait until it answers."""
        config = self.home / "config"
        config.mkdir(exist_ok=True)
        (config / "jupyter_server_config.py").write_text(f"c = get_config()\n{configuration()}")
        argv = [sys.executable, "-m", "jupyterlab" if self.lab else "jupyter_server", "--allow-root"]
        argv += [f"--port={self.port}", "--ServerApp.port_retries=0", "--IdentityProvider.token=t"]
        argv += ["--no-browser", "--LabApp.news_url=None"]
        if not self.lab:
            argv += ["--ServerApp.jpserver_extensions={'jupyterlab': False, 'jupyter_server_proxy': False}"]
        argv += [f"--ServerApp.root_dir={self.home}", "--Timer.poll_interval=1"]
        with (self.home / f"server-{self.port}.log").open("ab") as log:
            self.process = subprocess.Popen(
                argv,
                env={**self.env, "HOME": str(self.home), "JUPYTER_CONFIG_DIR": str(config)},
                cwd=self.home,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        wait_until(self._answers, 60, self.log)
        return self

    def kill(self) -> None:
        """As Slurm does to a session at its time limit: everything, at once."""
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None

    def log(self) -> str:
        """What it printed last."""
        return (self.home / f"server-{self.port}.log").read_text(errors="replace")[-3000:]

    def ask(self, method: str, path: str, body: Any = None, **options: Any) -> Any:
        """What the extension answers; an answer that is no success fails with its text."""
        answer = self.answer(method, f"scheduler/{path}", body, **options)
        assert answer.status_code < 300, answer.text
        return answer.json() if answer.content else None

    def answer(self, method: str, path: str, body: Any = None, **options: Any) -> httpx.Response:
        """The answer of any of its addresses."""
        address = f"http://127.0.0.1:{self.port}/{path}"
        head = {"Authorization": "token t"}
        return httpx.request(method, address, json=body, headers=head, timeout=60, trust_env=False, **options)

    def job(self, job_id: str) -> Any:
        """One job."""
        return self.ask("GET", f"jobs/{job_id}")

    def wait_for(self, job_id: str, *words: str, seconds: float = 60) -> Any:
        """The job, when it has one of these states."""

        def there() -> Any:
            job = self.job(job_id)
            return job if job["status"] in words else None

        return wait_until(there, seconds, lambda: self.job(job_id), every=0.3)

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log()
        try:
            return self.answer("GET", "scheduler/config").status_code == 200
        except httpx.TransportError:
            return False
