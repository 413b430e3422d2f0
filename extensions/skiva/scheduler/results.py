"""Results in other formats: made from the notebook that the run wrote, when somebody asks for them."""

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from jupyter_scheduler.job_files_manager import JobFilesManager

from skiva.scheduler.describe import FILES

__all__ = ["NotMade", "RunFiles", "make_html"]

_PATIENCE = 300.0


class NotMade(RuntimeError):
    """A result could not be made; says why."""


class RunFiles(JobFilesManager):
    """Results need not be fetched from anywhere: the run's directory is where they are."""

    async def copy_from_staging(self, job_id: str, redownload: bool | None = False) -> None:
        """Make those of a job's formats that are not there yet."""
        scheduler: Any = self.scheduler
        await scheduler.make_results(job_id, again=bool(redownload))


def make_html(run: Path) -> Path:
    """A run's notebook as a page, in a process of its own, since large ones take long.

    Raises:
        NotMade: it could not be converted.
    """
    result = run / FILES["html"]
    with tempfile.TemporaryDirectory(prefix=".html-", dir=run) as draft:
        argv = [sys.executable, "-I", "-m", "nbconvert", "--to", "html", "--log-level", "ERROR"]
        argv += ["--output-dir", draft, "--output", result.name, str(run / FILES["ipynb"])]
        try:
            done = subprocess.run(
                argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=_PATIENCE, check=False, cwd="/"
            )
        except subprocess.TimeoutExpired:
            raise NotMade(f"The page was not made within {_PATIENCE:.0f} seconds.") from None
        if done.returncode:
            words = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
            raise NotMade(f"The page could not be made: {' '.join(words)[:300]}")
        (Path(draft) / result.name).rename(result)
    return result
