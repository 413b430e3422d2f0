"""Real environments become kernels, start, and end in words when they cannot."""

import asyncio
import json
import os
import shutil
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.kernelspec import NoSuchKernel
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.multikernelmanager import AsyncMultiKernelManager
from tests.support.own_environments import make
from tests.support.own_lab import skiva
from tests.unit.pages.waiting import until

from skiva.kernels import KernelBroken, watch
from skiva.kernels.manager import SessionKernelSpecs
from skiva.kernels.watch import follow, look

pytestmark = pytest.mark.skipif(
    "SKIVA_TEST_DIR" not in os.environ, reason="needs uv: start the tests with ./skiva test"
)
WHOAMI = "import json, os, sys; print(json.dumps([sys.executable, sys.prefix, dict(os.environ)]))"


@pytest.fixture(scope="module")
def with_ipykernel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real environment of uv's, for all tests here."""
    return make(tmp_path_factory.mktemp("envs") / "fits", "ipykernel")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home of somebody new."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    for name in ("JUPYTER_DATA_DIR", "XDG_DATA_HOME", "SKIVA_KERNELS_DIR", "PYTHONPATH"):
        monkeypatch.delenv(name, raising=False)
    # Made by the server for its terminals; it must not outlive the test.
    monkeypatch.setenv("SKIVA_KERNELS_DIR", str(home / ".local/share/jupyter/kernels"))
    return home


@pytest.fixture
def breakable(with_ipykernel: Path, home: Path) -> Path:
    """A copy of the environment, as a kernel called `mine`."""
    prefix = home / "mine"
    # The same files: tests put others in their places and write into none.
    shutil.copytree(with_ipykernel, prefix, symlinks=True, copy_function=os.link)
    done = skiva(home, "add", str(prefix))
    assert done.returncode == 0, done.stderr
    return prefix


def pictures(directory: str) -> list[Path]:
    """What JupyterLab can show for a kernel."""
    return list(Path(directory).glob("logo-*"))


def packages(prefix: Path) -> Path:
    """The environment's site-packages."""
    (found,) = prefix.glob("lib/python3*/site-packages")
    return found


@asynccontextmanager
async def started(name: str) -> AsyncIterator[Any]:
    """A kernel as a session starts it, and a client of it."""
    manager = AsyncKernelManager(kernel_name=name, kernel_spec_manager=SessionKernelSpecs(), transport="ipc")
    await manager.start_kernel()
    client = manager.client()
    client.start_channels()
    try:
        await client.wait_for_ready(timeout=60)
        yield client
    finally:
        client.stop_channels()
        await manager.shutdown_kernel(now=True)


async def printed(client: Any, code: str) -> str:
    """What the code prints."""
    said: list[str] = []

    def hear(message: dict[str, Any]) -> None:
        if message["msg_type"] == "stream":
            said.append(message["content"]["text"])

    answer = await client.execute_interactive(code, timeout=60, output_hook=hear)
    assert answer["content"]["status"] == "ok", answer["content"]
    return "".join(said)


async def test_an_environment_of_ones_own_runs_what_one_computes(breakable: Path) -> None:
    """The kernel is its Python, activated; it knows its name, kind and digest without a package of ours."""
    async with started("mine") as client:
        executable, prefix, env = json.loads(await printed(client, WHOAMI))
        outside = await printed(client, "import importlib.util as u; print(u.find_spec('skiva'))")
    assert (executable, prefix) == (str(breakable / "bin/python"), str(breakable))
    assert env["PATH"].startswith(f"{breakable}/bin:")
    assert env["VIRTUAL_ENV"] == env["SKIVA_KERNEL_PREFIX"] == str(breakable)
    assert (env["SKIVA_KERNEL"], env["SKIVA_KERNEL_KIND"]) == ("mine", "uv")
    assert env["SKIVA_KERNEL_DIGEST"].startswith("sha256:")
    assert outside.strip() == "None"


async def test_the_digest_is_that_of_the_start(breakable: Path, home: Path) -> None:
    """What was installed after the kernel was added counts."""
    (kernel,) = json.loads(skiva(home, "list", "--json").stdout)
    info = packages(breakable) / "late-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: late\nVersion: 1.0\n")
    async with started("mine") as client:
        env = json.loads(await printed(client, WHOAMI))[2]
    assert env["SKIVA_KERNEL_DIGEST"] != kernel["digest"]


async def test_a_broken_one_is_listed_and_refused_at_once(breakable: Path) -> None:
    """It stays in the list, marked; starting it takes no time-out and says what mends it."""
    (breakable / "bin/python").unlink()
    (breakable / "bin/python").symlink_to("/opt/gone/python3")
    listed = SessionKernelSpecs().get_all_specs()["mine"]
    assert listed["spec"]["display_name"].endswith("(cannot start)")
    assert pictures(listed["resource_dir"])
    begun = time.monotonic()
    with pytest.raises(KernelBroken, match=r"(?s)/opt/gone/python3.*To mend it:\n  uv venv --allow-existing"):
        async with started("mine"):
            pass
    assert time.monotonic() - begun < 20, "Jupyter waits a minute for a kernel"


async def test_one_that_ends_at_its_start_says_its_last_lines(breakable: Path) -> None:
    """Not after a minute of trying again."""
    module = packages(breakable) / "zmq/__init__.py"
    module.unlink()
    module.write_text("raise ImportError('libzmq.so.5: no such file')\n")
    with pytest.raises(KernelBroken, match=r"(?s)exit status 1.*ImportError: libzmq.so.5: no such file"):
        async with started("mine"):
            pass


async def test_a_failed_start_leaves_nothing_that_the_servers_end_waits_for(breakable: Path) -> None:
    """A server with failed starts behind it ends its kernels like any other."""
    (breakable / "bin/python").unlink()
    manager = AsyncMultiKernelManager(kernel_spec_manager=SessionKernelSpecs())
    with pytest.raises(KernelBroken):
        await manager.start_kernel(kernel_name="mine")
    await asyncio.wait_for(manager.shutdown_all(now=True), 10)
    assert manager.list_kernel_ids() == []


async def test_a_kernel_that_broke_is_restarted_when_it_is_mended(breakable: Path) -> None:
    """A restart says what is wrong as a start does, and the next one works."""
    python = breakable / "bin/python"
    async with started("mine") as client:
        away = python.rename(python.with_name("away"))
        with pytest.raises(KernelBroken, match=r"is\s+gone"):
            await client.parent.restart_kernel(now=True)
        away.rename(python)
        await client.parent.restart_kernel(now=True)
        await client.wait_for_ready(timeout=60)
        assert (await printed(client, "print(6 * 7)")).strip() == "42"


def test_the_environments_kernels_go_first(breakable: Path, home: Path) -> None:
    """A kernel of a person's can neither stand in for the environment's nor hide it."""
    kernels = home / ".local/share/jupyter/kernels"
    shutil.copytree(kernels / "mine", kernels / "python3")
    specs = SessionKernelSpecs()
    assert not specs.find_kernel_specs()["python3"].startswith(str(home))
    assert specs.find_kernel_specs()["mine"].startswith(str(home))
    assert specs.get_kernel_spec("python3").argv[0] != str(breakable / "bin/python")
    with pytest.raises(NoSuchKernel):
        specs.get_kernel_spec("nobody")


async def test_changes_are_told_within_seconds(
    breakable: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Added, broken, mended and removed kernels are each told once."""
    told, looks = asyncio.Queue[None](), list[object]()

    def note(directory: Path) -> tuple[object, ...]:
        looks.append(seen := look(directory))
        return seen

    monkeypatch.setattr(watch, "look", note)
    kernels = home / ".local/share/jupyter/kernels"
    watching = asyncio.create_task(follow(kernels, lambda: told.put_nowait(None), interval=0.05))
    python = breakable / "bin/python"
    changes: list[Callable[[], object]] = [
        lambda: shutil.copytree(kernels / "mine", home / "other").rename(kernels / "other"),
        lambda: python.rename(python.with_name("away")),
        lambda: python.with_name("away").rename(python),
        lambda: (kernels / "other").rename(home / "away"),
    ]
    try:
        await until(lambda: looks)
        for change in changes:
            await asyncio.to_thread(change)
            await asyncio.wait_for(told.get(), 10)
        before = len(looks)
        await until(lambda: len(looks) > before)
        assert told.empty()
    finally:
        watching.cancel()


def test_the_command_says_what_it_did_and_what_is_missing(home: Path, with_ipykernel: Path) -> None:
    """Add, list, check, remove; taken names, unknown names, what is no environment."""
    assert skiva(home, "list").stdout.startswith("No kernels of your own")
    added = skiva(home, "add", str(with_ipykernel), "--name", "fits", "--title", "Fits")
    assert added.stdout.startswith("Added fits: Fits\n")
    assert str(with_ipykernel) in skiva(home, "list").stdout
    assert skiva(home, "check", "fits").stdout == "fits: starts.\n"
    again = skiva(home, "add", str(with_ipykernel))
    assert again.returncode == 0, "adding it again brings it up to date"
    other = make(home / "fits")
    for arguments, words in (
        (["add", str(other)], "has no ipykernel, by which Jupyter talks to it."),
        (["add", str(home)], "has no environment"),
        (["add", str(with_ipykernel), "--name", "python3"], "The session's environment has a kernel"),
        (["add", str(with_ipykernel), "--name", "Fits!"], "--name: use small letters"),
        (["remove", "nobody"], "You have no kernel called nobody"),
        (["check", "nobody"], "There are: fits."),
    ):
        done = skiva(home, *arguments)
        assert done.returncode == 1
        assert words in done.stderr, done.stderr
    assert skiva(home, "remove", "fits").stdout.startswith("Removed fits.")
    assert skiva(home, "list", "--json").stdout == "[]\n"
    assert with_ipykernel.exists()


def test_ipykernel_is_installed_where_that_is_wanted(home: Path) -> None:
    """By uv into an environment of venv's that has no pip; its own progress is shown."""
    project = home / "project"
    make(project / ".venv", kind="venv")
    asked = skiva(home, "add", str(project))
    assert f"uv pip install --python {project}/.venv/bin/python ipykernel" in asked.stderr
    done = skiva(home, "add", str(project), "--install", installers=True)
    assert done.returncode == 0, done.stderr
    assert "Added project: project (Python 3" in done.stdout
    assert skiva(home, "check").stdout == "project: starts.\n"
