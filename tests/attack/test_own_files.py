"""What runs a session's server is the operator's, whatever a home holds; their kernels are people's own."""

import json
import pwd
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from tests.support.hub import HubClient, HubRefused
from tests.support.kernel import run_code
from tests.support.own_environments import make
from tests.support.sessions import Session, close_session, open_session
from tests.support.waiting import wait_until

PERSON = "researcher3"
PROGRAMS = (
    "jupyter",
    "jupyterhub-singleuser",
    "python",
    "python3",
    "node",
    "git",
    "sh",
    "skiva",
)
SHELLS = (".bashrc", ".bash_profile", ".profile", ".zshenv", ".bash_env")


SPRUNG = {
    *("sitecustomize", "usercustomize", "pth", "home-skiva", "bin-python3"),
    *("config", "server_config", "lab_config"),
}
"""Traces of those that a person's own shell, Python and JupyterLab run, as what stands beside proves."""
_SPRING = """
. ./.profile
python3 -c 'import skiva'
cd / && exec env -u JUPYTER_CONFIG_DIR "$1" -I -m jupyterlab --show-config
"""


def _plants(home: Path, traces: Path, version: str) -> dict[str, str]:
    """Path below the home, and content: every one leaves a trace if anything runs it.

    Args:
        version: what the Python of sessions is called, which is also in the names of folders.
    """

    def python(name: str) -> str:
        return f"import sys; open({str(traces / name)!r}, 'w').write(repr(sys.orig_argv))\n"

    extension = "def _load_jupyter_server_extension(app):\n    pass\n"
    off = json.dumps({"ServerApp": {"jpserver_extensions": {"skiva.server": False, "planted": True}}})
    site = f".local/lib/{version}/site-packages"
    spec = {"argv": [f"{home}/.local/bin/python", "{connection_file}"], "display_name": "Planted"}
    kinds = ("", "server_", "lab_", "notebook_")
    planted = {
        **{f".jupyter/jupyter_{kind}config.py": python(f"{kind}config") for kind in kinds},
        ".local/etc/jupyter/jupyter_server_config.py": python("local-etc"),
        ".jupyter/jupyter_server_config.json": off,
        ".jupyter/jupyter_server_config.d/planted.json": off,
        ".jupyter/serverconfig/jupyter_server_config.json": off,
        ".jupyter/labconfig/page_config.json": json.dumps(
            {"disabledExtensions": {"@skiva/lab": True}, "appName": "Planted"}
        ),
        f"{site}/sitecustomize.py": python("sitecustomize"),
        f"{site}/usercustomize.py": python("usercustomize"),
        f"{site}/planted.pth": f"import sys; {python('pth')}",
        f"{site}/planted.py": python("extension") + extension,
        ".local/share/jupyter/labextensions/planted/package.json": json.dumps(
            {
                "name": "planted",
                "version": "1.0.0",
                "jupyterlab": {"_build": {"load": "x.js", "extension": "./e"}},
            }
        ),
        ".local/share/jupyter/kernels/python3/kernel.json": json.dumps(spec),
        ".ipython/profile_default/startup/00-own.py": "PERSONAL = 'startup ran'\n",
        ".pam_environment": f"PYTHONPATH DEFAULT={home}/{site}\n",
    }
    modules = ("skiva", "jupyter_server", "jupyterlab", "pydantic")
    planted |= {f"{module}.py": python(f"home-{module}") for module in modules}
    for name in (*PROGRAMS, version):
        planted[f".local/bin/{name}"] = f'#!/bin/sh\n: >{traces}/bin-{name}\nexec /usr/bin/{name} "$@"\n'
    settings = (
        f"export PATH={home}/.local/bin:$PATH PYTHONPATH={home}/{site} JUPYTER_CONFIG_DIR={home}/.jupyter\n"
    )
    return planted | {name: f": >{traces}/shell{name}\n{settings}" for name in SHELLS}


@pytest.fixture(scope="module")
def planted(cluster: Any) -> Iterator[Path]:
    """A home full of them; where their traces would be."""
    entry = pwd.getpwnam(PERSON)
    home = Path(entry.pw_dir)
    kept = home.with_name(f".{home.name}.kept")
    if kept.exists():  # an earlier run was cut off
        _restore(home, kept)
    shutil.copytree(home, kept, symlinks=True, copy_function=shutil.copy2)
    traces = home / ".traces"
    traces.mkdir()
    (library,) = (cluster.dir / "venv/base/lib").glob("python3.*")
    for name, content in _plants(home, traces, library.name).items():
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        path.chmod(0o755 if "/bin/" in name else 0o644)
    _give(home)
    yield traces
    _restore(home, kept)


def _restore(home: Path, kept: Path) -> None:
    """Put the home back that was kept."""
    wait_until(lambda: _is_empty(home), 20, "the home is empty again")
    for path in kept.iterdir():
        path.rename(home / path.name)
    kept.rmdir()
    _give(home)


def _is_empty(home: Path) -> bool:
    """Whether all of it could be removed; a job that is ending may still write."""
    with suppress(OSError):
        for path in home.iterdir():
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    return not any(home.iterdir())


@pytest.fixture(scope="module")
def started(cluster: Any, hub: HubClient, planted: Path) -> Iterator[tuple[Session, dict[str, str]]]:
    """A session that was started in it, and the traces that there were then, with what left them."""
    try:
        session = open_session(cluster, hub, PERSON)
        yield session, {path.name: path.read_text() for path in planted.iterdir()}
    finally:
        close_session(hub, PERSON)


@pytest.fixture(scope="module")
def session(started: tuple[Session, dict[str, str]]) -> Session:
    """The session."""
    return started[0]


def _give(path: Path) -> None:
    entry = pwd.getpwnam(PERSON)
    subprocess.run(["chown", "-RhP", f"{entry.pw_uid}:{entry.pw_gid}", str(path)], check=True)


def _config(session: Session) -> dict[str, Any]:
    """What JupyterLab's page is told."""
    page = session.ask("GET", "lab").text
    pattern = r'id="jupyter-config-data" type="application/json">\s*(\{.*?\})\s*</script>'
    found = re.search(pattern, page, re.DOTALL)
    assert found
    told: dict[str, Any] = json.loads(found[1])
    return told


def test_nothing_in_a_home_changes_what_runs_the_server(
    cluster: Any, started: tuple[Session, dict[str, str]], planted: Path
) -> None:
    """Settings, modules, programs and shells' files are all there before a start, and none takes effect."""
    session, left = started
    shells = {"shell" + name for name in SHELLS}  # the session's own terminal reads these
    programs = {f"bin-{name}" for name in PROGRAMS}  # and then they call what they find
    assert {name: left[name] for name in left.keys() - shells - programs} == {}
    server = session.pids[1]
    command = Path(f"/proc/{server}/cmdline").read_bytes().split(b"\0")
    assert command[0].decode() == f"{cluster.dir}/venv/base/bin/python"
    env = Path(f"/proc/{server}/environ").read_bytes()
    assert b"PYTHONPATH" not in env
    assert b".local/bin" not in env
    assert session.ask("GET", "skiva/status").json()["slice"] == "cpu"
    told = _config(session)
    assert told["appName"] == "JupyterLab"
    assert "planted" not in [extension["name"] for extension in told["federated_extensions"]]
    assert "@skiva/lab" in [extension["name"] for extension in told["federated_extensions"]]
    assert not [name for name in told.get("disabledExtensions", []) if "skiva" in str(name)]
    python3 = session.ask("GET", "api/kernelspecs/python3").json()["spec"]
    assert python3["display_name"].startswith("Python 3")
    # The traps are sharp: what does read the home springs them.
    python = f"{cluster.dir}/venv/base/bin/python"
    done = cluster.run_as(PERSON, ["/bin/sh", "-c", _SPRING, "sh", python], timeout=60)
    assert {path.name for path in planted.iterdir()} >= SPRUNG, done.stdout + done.stderr


def test_a_kernel_reads_its_persons_settings(session: Session) -> None:
    """What runs in a kernel is the person's: their start-up files are read there, as everywhere."""
    said = run_code(
        f"{session.url}{session.prefix}", session.token, "import sys; print(PERSONAL, sys.prefix)"
    )
    assert said.startswith("startup ran")


def test_own_environments_run_as_kernels_and_nowhere_else(cluster: Any, session: Session) -> None:
    """It is added by `skiva kernel`, listed at once, and runs what is computed in the same job."""
    home = Path(pwd.getpwnam(PERSON).pw_dir)
    _give(make(home / "own", "ipykernel"))
    skiva = f"{cluster.dir}/venv/base/bin/skiva"
    done = cluster.run_as(PERSON, [skiva, "kernel", "add", str(home / "own")], timeout=90)
    assert done.returncode == 0, done.stderr
    assert "own" in session.ask("GET", "api/kernelspecs").json()["kernelspecs"]
    code = "import os, sys; print(sys.prefix, os.environ['SKIVA_KERNEL'], os.environ['SLURM_JOB_ID'])"
    said = run_code(f"{session.url}{session.prefix}", session.token, code, kernel="own", seconds=90)
    assert said.split() == [str(home / "own"), "own", str(session.job_id)]


def test_another_account_cannot_make_a_kernel_appear(cluster: Any, session: Session) -> None:
    """Even where a home was left open to all: what others wrote there is not read."""
    home = Path(pwd.getpwnam(PERSON).pw_dir)
    kernels = home / ".local/share/jupyter/kernels"
    (kernels / "open").mkdir(parents=True)
    _give(kernels)
    spec = json.dumps({"argv": ["/bin/sh"], "display_name": "Evil", "language": "python"})
    evil = f"{kernels}/evil/kernel.json"
    write = f"mkdir -p {kernels}/evil && cat >{evil} && cp {evil} {kernels}/open"
    opened = [home, home / ".local", home / ".local/share", kernels.parent, kernels, kernels / "open"]
    modes = {path: path.stat().st_mode for path in opened}
    try:
        for path in opened:
            path.chmod(0o777)
        done = cluster.run_as("researcher2", ["/bin/sh", "-c", write], stdin=spec)
        assert done.returncode == 0, done.stderr
        assert (kernels / "open/kernel.json").exists()
        kernels.chmod(0o755)
        listed = session.ask("GET", "api/kernelspecs").json()["kernelspecs"]
        assert not {"evil", "open"} & set(listed)
        assert session.ask("POST", "api/kernels", json={"name": "evil"}).status_code == 500
        _give(kernels)  # the same files count where they are the person's own to change
        (kernels / "open").chmod(0o755)
        listed = session.ask("GET", "api/kernelspecs").json()["kernelspecs"]
        assert {"evil", "open"} <= set(listed)
    finally:
        for path, mode in modes.items():
            path.chmod(mode)
        shutil.rmtree(kernels / "evil", ignore_errors=True)
        shutil.rmtree(kernels / "open", ignore_errors=True)


@pytest.mark.parametrize(
    "wish",
    [
        {"environment": "evil"},
        {"environment": "/home/researcher3/own/bin/python"},
        {"environment": "../base"},
        {"environment": "base", "image": "/home/evil.sif"},
        {"environment": "base", "python": "/home/evil"},
        {"environment": "base", "launcher": "namespace", "binds": ["/etc"]},
        {"environment": ["base"]},
    ],
    ids=str,
)
def test_what_is_not_in_the_site_file_cannot_be_chosen(hub: HubClient, wish: dict[str, Any]) -> None:
    """Through REST either: a sentence that names the field, and no job."""
    with pytest.raises(HubRefused) as refused:
        hub.start_server("instructor1", {"slice": "cpu", "hours": 1, **wish})
    assert refused.value.status == 400
    fields = [field for field in wish if wish[field] != "base"]
    assert any(refused.value.message.startswith(field) for field in fields), refused.value
    server = hub.server("instructor1")
    assert server is None or (server["stopped"] and not server["pending"])
