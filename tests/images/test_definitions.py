"""The definitions that Skiva comes with: they resolve, they build, and what they promise runs."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.support.images import Images

from skiva_images.check import check
from skiva_images.definition import load
from skiva_images.record import read_record
from skiva_images.smoke import run_smoke
from skiva_images.store import Built, Store
from skiva_images.uv import environment, find_uv

ROOT = Path(__file__).parents[2]
NAMES = ["base", "pytorch", "rapids"]


@pytest.fixture(scope="module")
def site() -> Path:
    """The directory with the environments of an embedded site."""
    if "SKIVA_TEST_DIR" not in os.environ:
        pytest.skip("no environments: start the tests with ./skiva test")
    return Path(os.environ["SKIVA_TEST_DIR"])


def command(site: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run `./skiva images …`."""
    command = [ROOT / "skiva", "images", *arguments, "--dir", site]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def base(site: Path) -> Built:
    """`base`, built for real; a second run of the tests finds it there, and earlier ones go."""
    done = command(site, "build", "base")
    assert done.returncode == 0, done.stderr
    store = Store(site / "images")
    built = store.current("base", "env")
    assert built
    for old in store.versions("base"):
        if not old.current:
            store.remove(old)
    assert done.stdout.strip() == str(built.path.with_name("current.env"))
    return built


def test_built_base_is_what_up_installs(site: Path, base: Built) -> None:
    """The same lock has the same digest, though one is mutable, hard-linked and elsewhere."""
    own = read_record(site / "venv/base/bin/python")
    assert own
    assert own.digest == base.record().digest
    assert own.versions["jupyterlab"] == base.record().versions["jupyterlab"]


@pytest.mark.slurm
@pytest.mark.skipif(os.geteuid() != 0, reason="only root builds images")
def test_every_form_has_the_same_digest(base: Built, images: Images) -> None:
    """Installed here or in an image, with other scripts and byte code: it is one environment."""
    assert base.record().digest == images.record.digest == images.sif.record().digest


def test_built_base_passes_its_checks(base: Built, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody else can change it, every file is what was installed, a kernel runs a cell."""
    monkeypatch.setenv("SKIVA_DEFINITIONS", str(ROOT / "images"))
    assert list(check(base)) == []


def test_command_lists_compares_and_checks(site: Path, base: Built, tmp_path: Path) -> None:
    """With the site file's environments beside the versions that they start."""
    file = tmp_path / "site.toml"
    file.write_text(f'[[environment]]\nid = "lab"\npython = "{base.path.parent}/current.env/bin/python"\n')
    (row,) = json.loads(command(site, "list", "base", "--json", "--site", file).stdout)
    assert row["used_by"] == ["lab"]
    assert row["digest"] == base.record().digest
    table = command(site, "list", "--site", file).stdout
    assert f"{base.version} *" in table
    assert command(site, "diff", "base", site / "venv/base").stdout == "The same.\n"
    refused = command(site, "remove", "base", base.version, "--site", file)
    assert refused.returncode == 1
    assert "the environment lab" in refused.stderr
    file.write_text('[[environment]]\nid = "gone"\npython = "/nowhere/bin/python"\n')
    checked = command(site, "check", "base", "--no-smoke", "--site", file)
    assert checked.returncode == 1
    assert "'gone'" in checked.stdout


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
def test_locks_resolve(python: str, tmp_path: Path) -> None:
    """For each Python that is promised there is an archive with a locked hash of every package."""

    def resolve(name: str) -> str:
        options = ["--dry-run", "--require-hashes", "--python-platform", "x86_64-manylinux_2_28"]
        where = ["--python", sys.executable, "--python-version", python, "--target", str(tmp_path / name)]
        lock = load(ROOT / "images" / name).lock
        command = [find_uv(), "pip", "install", "--only-binary", ":all:", *options, *where, "-r", str(lock)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment())
        return f"{name}: {done.stderr}" if done.returncode else ""

    with ThreadPoolExecutor(2) as pool:
        assert "".join(pool.map(resolve, NAMES)) == ""


def test_cuda_workers_start_without_a_gpu(base: Built) -> None:
    """In dask-cuda's own test mode two of them join a scheduler on loopback, do a task and end.

    Base has the versions of Dask, dask-cuda and its bindings that `rapids` has.
    """
    run_smoke([str(base.path / "bin/python")], load(ROOT / "images/rapids").smoke)
