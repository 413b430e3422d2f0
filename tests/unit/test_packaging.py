"""What is installed is what is in the checkout, from locks that say it exactly; and how a site runs it."""

import json
import os
import re
import shutil
import subprocess
import tomllib
import zipfile
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from skiva_hub.site import Site

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
BOTH_SIDES = PROJECT["project"]["dependencies"]
LOCKS = sorted((ROOT / "images").glob("*/requirements.txt"))
UNITS = sorted((ROOT / "packaging" / "systemd").glob("*.service"))
IMPLY_NO_NEW_PRIVILEGES = (
    "NoNewPrivileges|SystemCall.*|Restrict(AddressFamilies|Namespaces|Realtime|SUIDSGID)|PrivateDevices|ProtectKernel.*"
    "|ProtectClock|ProtectHostname|LockPersonality|MemoryDenyWriteExecute|DynamicUser"
)
GENERATED = {"__pycache__", "labextension", "etc"}


@pytest.fixture(scope="module")
def wheel() -> set[str]:
    """The names of the files in the wheel that `./skiva` built from this checkout."""
    built = sorted(Path(os.environ.get("SKIVA_TEST_DIR", "/nonexistent")).glob("venv/wheel/*.whl"))
    if not built:
        pytest.skip("no wheel: start the tests with ./skiva test")
    with zipfile.ZipFile(built[0]) as archive:
        return set(archive.namelist())


def locked(lock: Path) -> dict[str, set[str]]:
    """The versions of each package in a lock; more than one where Pythons differ."""
    versions: dict[str, set[str]] = {}
    for name, version in re.findall(r"^([a-z0-9][a-z0-9._-]*)==(\S+)", lock.read_text(), re.MULTILINE):
        versions.setdefault(name, set()).add(version)
    return versions


def test_wheel_has_every_module_and_data_file(wheel: set[str]) -> None:
    """Templates, scripts, styles and configuration travel with the code that needs them."""
    missing, found = [], 0
    for package in map(Path, PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]):
        for file in (ROOT / package).rglob("*"):
            inside = file.relative_to(ROOT / package.parent)
            found += str(inside) in wheel
            if file.is_file() and not GENERATED & set(inside.parts) and str(inside) not in wheel:
                missing.append(str(inside))
    assert missing == []
    assert found > 300


@pytest.mark.parametrize(
    "path",
    [
        r"etc/jupyter/jupyter_server_config\.d/skiva\.json",
        r"etc/dask/skiva\.yaml",
        r"share/jupyter/labextensions/@skiva/lab/package\.json",
        r"share/jupyter/labextensions/@skiva/lab/install\.json",
        r"share/jupyter/labextensions/@skiva/lab/static/remoteEntry\.\w+\.js",
        r"share/skiva/jupyterhub_config\.py",
        r"share/skiva/examples/mig-cluster\.toml",
        r"share/skiva/images/pytorch/requirements\.txt",
        r"share/skiva/systemd/skiva-hub\.service",
        r"share/skiva/prometheus/alerts\.yaml",
        r"share/skiva/grafana/skiva\.json",
        r"share/skiva/skiva-act",
        r"share/skiva/sudoers",
    ],
)
def test_wheel_has_what_goes_beside_the_packages(wheel: set[str], path: str) -> None:
    """JupyterLab finds its extension, Jupyter Server its switch, an operator the configuration."""
    assert [name for name in wheel if re.fullmatch(rf"skiva-[^/]+\.data/data/{path}", name)]


def test_wheel_has_no_tests_and_nothing_twice(wheel: set[str]) -> None:
    """Neither tests nor byte code nor a second copy of the JupyterLab extension is installed."""
    assert [n for n in wheel if re.search(r"(^|/)tests?/|\.pyc$|node_modules|^skiva/labextension", n)] == []


def test_spawner_is_found_by_its_name() -> None:
    """A site may write `spawner_class = "skiva"`."""
    (found,) = entry_points(group="jupyterhub.spawners", name="skiva")
    assert found.load().__name__ == "SliceSpawner"


def extras(*names: str) -> list[str]:
    """What these extras ask for, less what they say of each other."""
    return [
        text
        for name in names
        for text in PROJECT["project"]["optional-dependencies"][name]
        if not text.startswith("skiva[")
    ]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.parent.name)
def test_locks_have_hashes_and_no_addresses(lock: Path) -> None:
    """A lock works with any index, and takes nothing from it but what was there when it was made."""
    text = lock.read_text()
    assert "://" not in text
    assert "--index-url" not in text
    entries = re.split(r"\n(?=[a-z0-9])", text)[1:]
    assert entries
    assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == []


@pytest.mark.parametrize(
    ("lock", "wanted"),
    [
        ("hub", [*BOTH_SIDES, *extras("hub", "oidc", "ldap")]),
        ("base", [*BOTH_SIDES, *extras("notebook", "dask", "dask-cuda")]),
        ("boot", ["uv"]),
        ("build", PROJECT["build-system"]["requires"]),
        ("dev", [*PROJECT["dependency-groups"]["dev"], *extras("dask", "dask-cuda")]),
        ("rapids", [*extras("notebook", "dask", "dask-cuda"), "cuda-bindings==13.*"]),
    ],
)
def test_locks_fit_what_is_asked_for(lock: str, wanted: list[str]) -> None:
    """Whoever changes a requirement also makes the lock anew, with images/lock."""
    versions = locked(ROOT / "images" / lock / "requirements.txt")
    for text in wanted:
        asked = Requirement(text)
        found = versions.get(canonicalize_name(asked.name), set())
        assert found, f"{text} is not in the lock"
        assert all(asked.specifier.contains(version) for version in found), f"{text} is locked as {found}"


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_takes_the_units(unit: Path, tmp_path: Path) -> None:
    """Systemd finds no setting that it does not know, once the programs are there."""
    for each in UNITS:
        (tmp_path / each.name).write_text(re.sub(r"/opt/skiva/hub/bin/\w+", "/bin/true", each.read_text()))
    done = subprocess.run(
        ["systemd-analyze", "verify", tmp_path / unit.name], capture_output=True, text=True, check=False
    )
    assert [line for line in done.stderr.splitlines() if "skiva-" in line] == []


@pytest.mark.skipif(not shutil.which("visudo"), reason="sudo is not installed")
def test_sudo_takes_the_line() -> None:
    """The sudoers file that a site copies is one that sudo accepts; a broken one would disable it."""
    subprocess.run(["visudo", "-c", "-q", "-f", ROOT / "packaging" / "sudoers"], check=True)


def test_helper_files_fit_together() -> None:
    """Sudoers line, site file example and manual name the same program, and its configuration fits it."""
    program = "/usr/local/lib/skiva/libexec/skiva-act"
    example = tomllib.loads((ROOT / "hub_config" / "examples" / "mig-cluster.toml").read_text())
    assert example["hub"]["helper"][-1] == program
    assert f"NOPASSWD: {program}\n" in (ROOT / "packaging" / "sudoers").read_text()
    assert program in (ROOT / "docs" / "operators" / "install.md").read_text()
    told = json.loads((ROOT / "packaging" / "act.json").read_text())
    assert set(told) == {"bin", "env", "run_dirs", "operators"}
    assert told["run_dirs"] == Site.model_json_schema()["$defs"]["Hub"]["properties"]["run_dirs"]["default"]


def test_hub_unit_leaves_sudo_its_privileges() -> None:
    """Nothing in the hub's unit implies NoNewPrivileges, which would make sudo, and so every start, fail."""
    settings = re.findall(r"^(\w+)=", (UNITS[0].parent / "skiva-hub.service").read_text(), re.MULTILINE)
    assert "ExecStart" in settings
    assert [name for name in settings if re.fullmatch(IMPLY_NO_NEW_PRIVILEGES, name)] == []
