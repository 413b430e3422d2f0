"""A JupyterLab with a home of its own, offering kernels as a session does."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from tests.support.own_environments import uv, uv_cache

__all__ = ["OwnLab", "answers", "labextension", "own_lab", "skiva"]

_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class OwnLab:
    """A running JupyterLab.

    Attributes:
        home: of the person whose it is.
        url: with a slash at its end; its token is `t`.
    """

    home: Path
    url: str

    @property
    def kernels(self) -> Path:
        """The person's directory of kernels."""
        return self.home / ".local/share/jupyter/kernels"


def labextension() -> Path:
    """Where the built JupyterLab side is: in the test run's environment, else in the checkout."""
    places = [_ROOT / "extensions/skiva/labextension"]
    if installed := os.environ.get("SKIVA_TEST_DIR"):
        places.insert(0, Path(installed) / "venv/base/share/jupyter/labextensions/@skiva/lab")
    found = next((place for place in places if (place / "package.json").exists()), None)
    if found is None:
        raise AssertionError("Build it first: npm ci && npm run build:prod in extensions/labextension.")
    return found


def environment(home: Path) -> dict[str, str]:
    """What the person's programs find in their environment."""
    path = [str(Path(sys.executable).parent), "/usr/bin", "/bin"]
    kept = {name: os.environ[name] for name in ("PYTHONPATH", "LANG", "SKIVA_TEST_DIR") if name in os.environ}
    return {**kept, "HOME": str(home), "PATH": ":".join(path), "SHELL": "/bin/sh"}


def skiva(home: Path, *arguments: str, installers: bool = False) -> "subprocess.CompletedProcess[str]":
    """Run `skiva kernel …` as the person whose home this is, with uv on their PATH or without."""
    env = environment(home)
    if installers:
        env |= {name: value for name, value in os.environ.items() if name.startswith("UV_")}
        env["PATH"] += f":{uv().parent}"
        # How this machine reaches packages, and those that it has already.
        env["XDG_CONFIG_HOME"] = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
        env |= {"UV_CACHE_DIR": uv_cache(), "UV_LINK_MODE": "copy"}
    argv = [sys.executable, "-c", "from skiva_command import main; main()", "kernel", *arguments]
    return subprocess.run(
        argv,
        env=env,
        cwd=home,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@contextmanager
def own_lab(home: Path, port: int, wait_for: Callable[..., Any], *options: str) -> Iterator[OwnLab]:
    """A JupyterLab in this home, until the block ends."""
    share = home / "share/labextensions/@skiva"
    share.mkdir(parents=True)
    (share / "lab").symlink_to(labextension())
    env = environment(home) | {
        "JUPYTER_CONFIG_PATH": str(_ROOT / "extensions/skiva/etc"),
        "JUPYTER_PATH": str(home / "share"),
    }
    argv = [sys.executable, "-m", "jupyterlab", "--allow-root", "--no-browser", f"--port={port}"]
    argv += ["--ServerApp.port_retries=0", "--IdentityProvider.token=t", f"--ServerApp.root_dir={home}"]
    argv += ["--LabApp.news_url=None", "--KernelManager.transport=ipc", *options]
    argv += ["--ServerApp.kernel_spec_manager_class=skiva.kernels.manager.SessionKernelSpecs"]
    url = f"http://127.0.0.1:{port}/"
    with (
        tempfile.TemporaryDirectory(prefix="skiva-") as runtime,  # sockets have short paths
        (home / "log").open("wb") as log,
        subprocess.Popen(
            argv, env=env | {"JUPYTER_RUNTIME_DIR": runtime}, cwd=home, stdout=log, stderr=log
        ) as process,
    ):
        try:
            wait_for(lambda: answers(url), seconds=90, what="JupyterLab")
            yield OwnLab(home, url)
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                # A plain JupyterLab may wait for a thread for ever, which a session does not:
                # https://github.com/jupyterlab/jupyterlab/issues/10442
                process.kill()


def answers(url: str) -> bool:
    """Whether a JupyterLab is there."""
    try:
        with urlopen(f"{url}api", timeout=2) as answer:  # noqa: S310
            return bool(answer.status == 200)
    except OSError:
        return False
