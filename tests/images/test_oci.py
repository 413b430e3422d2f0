"""An OCI image as a laptop sees it: what is in the archive, what is not, and what `podman run` shows."""

import json
import os
import re
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import expect, sync_playwright
from tests.support import tiny_images
from tests.support.images import MARKERS, Images
from tests.support.kernel import run_code
from tests.support.waiting import wait_until

from skiva_images.check import check
from skiva_images.definition import find
from skiva_images.forms import build
from skiva_images.plan import Options
from skiva_images.store import Store


@pytest.fixture(scope="module")
def archive(images: Images, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archive, unpacked: an OCI image layout."""
    place = tmp_path_factory.mktemp("layout")
    with tarfile.open(images.oci.path / "image.tar") as packed:
        packed.extractall(place)  # noqa: S202 - made a minute ago
    return place


def _blob(archive: Path, digest: str) -> Path:
    return archive / "blobs" / digest.replace(":", "/")


@pytest.fixture(scope="module")
def manifest(archive: Path) -> dict[str, Any]:
    """The one image's."""
    (only,) = json.loads((archive / "index.json").read_text())["manifests"]
    found: dict[str, Any] = json.loads(_blob(archive, only["digest"]).read_text())
    return found


def test_it_is_of_bearable_size(images: Images) -> None:
    """A few hundred megabytes, fewer as a single file, as the records say and the disk has."""
    print(f"OCI and single file: {images.seconds:.0f} s")  # noqa: T201 - shown with -s
    print(f"{images.record.size >> 20} MiB, {images.sif.record().size >> 20} MiB")  # noqa: T201
    assert 100 << 20 < images.sif.record().size < 300 << 20
    assert images.sif.record().size < images.record.size < 900 << 20
    assert images.sif.path.stat().st_size == images.sif.record().size


def test_both_forms_are_the_same_thing_and_whole(images: Images) -> None:
    """One digest; what is there is what the records say, and nobody else can change it."""
    assert images.sif.record().digest == images.record.digest
    assert list(check(images.oci, smoke=False)) == []
    assert list(check(images.sif, smoke=False)) == []


def test_the_archive_says_what_it_is(archive: Path, manifest: dict[str, Any], images: Images) -> None:
    """Labels, entry point and port as any tool reads them, and the same digest as in the record."""
    config = json.loads(_blob(archive, manifest["config"]["digest"]).read_text())["config"]
    labels = config["Labels"]
    assert labels["org.opencontainers.image.title"] == "JupyterLab"
    assert labels["org.opencontainers.image.created"] == images.record.built
    assert labels["org.opencontainers.image.version"] == images.record.packages["skiva"]
    assert labels["io.skiva.digest"] == images.record.digest
    assert config["Entrypoint"] == ["/usr/bin/tini", "--", "/usr/local/bin/skiva-entry"]
    assert config["ExposedPorts"] == {"8888/tcp": {}}
    inside = json.loads((images.rootfs / "opt/skiva/image.json").read_text())
    assert inside["digest"] == images.record.digest


def test_nothing_of_the_building_machine_is_in_a_layer(
    archive: Path, manifest: dict[str, Any], images: Images
) -> None:
    """Passwords, registries and settings that the build was given are in no layer and in no metadata."""
    # What is in there, to see that whatever is in there is found.
    known = "usr/local/bin/skiva-entry"
    wanted = re.compile("|".join((*MARKERS.values(), known)).encode())
    found = set()
    for blob in archive.glob("blobs/sha256/*"):
        with blob.open("rb") as file:
            rest = b""
            while part := file.read(1 << 22):
                found |= set(wanted.findall(rest + part))
                rest = part[-100:]
    assert found == {known.encode()}
    names: set[str] = set()
    for layer in manifest["layers"]:
        assert layer["mediaType"].endswith(".tar"), "the search above reads layers that are not compressed"
        with tarfile.open(_blob(archive, layer["digest"])) as packed:
            names |= {name.removeprefix("./") for name in packed.getnames()}
    assert "opt/skiva/bin/jupyter-lab" in names
    left = ("etc/apt/sources.list", "etc/apt/auth", "build/", "root/.", "var/cache/uv")
    assert [name for name in names if name.startswith(left) and name not in _DEBIANS_OWN] == []
    assert not list((images.rootfs / "var/lib/apt/lists").glob("*_*"))


_DEBIANS_OWN = {"root/.bashrc", "root/.profile"}


def test_no_byte_code_is_missing(images: Images) -> None:
    """A read-only image compiles nothing at each start: what a server imports has its byte code."""
    packages = next(images.rootfs.glob("opt/skiva/lib/python3.*/site-packages"))
    for package in ("jupyterlab", "jupyter_server", "tornado", "skiva"):
        sources = list((packages / package).glob("*.py"))
        assert sources
        assert all(list((path.parent / "__pycache__").glob(f"{path.stem}.*.pyc")) for path in sources)
    assert list(images.rootfs.glob("usr/lib/python3.11/__pycache__/argparse.*.pyc"))


Podman = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def podman(images: Images, cluster: Any) -> Iterator[list[str]]:
    """Podman with a storage of its own, in which the image is, as on a laptop that was given the archive."""
    place = cluster.dir / "podman"
    command = ["podman", f"--root={place}/root", f"--runroot={place}/run", "--runtime=runc"]
    command += ["--cgroup-manager=cgroupfs", "--log-level=error"]
    subprocess.run(
        [*command, "load", "--quiet", "--input", str(images.oci.path / "image.tar")],
        check=True,
        capture_output=True,
    )
    yield command
    subprocess.run([*command, "rm", "--all", "--force", "--time=0"], check=False, capture_output=True)
    subprocess.run(["umount", f"{place}/root/overlay"], check=False, capture_output=True)
    shutil.rmtree(place, ignore_errors=True)


# A container may not have higher limits than this machine gives; elsewhere the default serves.
_LIMITS = ("--ulimit=nofile=1024:1024", "--ulimit=nproc=4096:4096")


@pytest.fixture
def laptop(podman: list[str], free_port: int, home: Path) -> Iterator[tuple[str, str, Path]]:
    """`podman run -p … -v "$PWD:/home/skiva/work" IMAGE`: its address, its token, the folder."""
    work = home / "project"
    work.mkdir()
    (work / "data.txt").write_text("mine")
    for path in (work, work / "data.txt"):
        shutil.chown(path, "researcher1", "researcher1")
    argv = [*podman, "run", "--rm", "--name=lab", *_LIMITS, f"--publish=127.0.0.1:{free_port}:8888"]
    log = home / "log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [*argv, f"--volume={work}:/home/skiva/work", "localhost/base"],
            stdout=output,
            stderr=output,
        )
    try:
        found = wait_until(
            lambda: re.search(r"http://127\.0\.0\.1:8888/lab\?token=([0-9a-f]+)", log.read_text()),
            60,
            log.read_text,
        )
        yield f"http://127.0.0.1:{free_port}/", found[1], work
    finally:
        subprocess.run([*podman, "stop", "--time=5", "lab"], check=False, capture_output=True)
        process.wait(30)


@pytest.mark.browser
def test_podman_run_shows_the_same_jupyterlab(laptop: tuple[str, str, Path], images: Images) -> None:
    """With no hub and no Slurm: JupyterLab opens without an error, a cell runs, files are the caller's."""
    url, token, work = laptop
    headers = {"Authorization": f"token {token}"}
    status = httpx.get(f"{url}api/status", trust_env=False)
    assert status.status_code == 403, "without the token nobody gets in"
    cell = "import sys; print(open('data.txt').read(), sys.executable); open('new.txt', 'w').write('x')"
    assert run_code(url, token, cell) == "mine /opt/skiva/bin/python\n"
    assert (work / "new.txt").stat().st_uid == work.stat().st_uid
    assert httpx.get(f"{url}api/contents/new.txt", headers=headers, trust_env=False).status_code == 200

    complaints: list[str] = []
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path="/usr/bin/chromium", timeout=90_000)
        page = chromium.new_page(viewport={"width": 1200, "height": 850})
        page.set_default_timeout(90_000)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
        page.goto(f"{url}lab?token={token}")
        page.locator(".jp-LauncherCard[data-category=Notebook]").first.click()
        expect(page.locator(".jp-Notebook .cm-content").first).to_be_visible(timeout=90_000)
        page.wait_for_function(
            "() => document.querySelector('.jp-NotebookPanel-toolbar')?.textContent.includes('Python 3')"
        )
        if folder := os.environ.get("SKIVA_SCREENSHOTS"):
            page.screenshot(path=f"{folder}/laptop.png")
        chromium.close()
    assert complaints == []
    assert images.record.versions["jupyterlab"]


def test_any_command_runs_as_whoever_owns_the_folder(podman: list[str], home: Path) -> None:
    """`podman run IMAGE python …` needs no server; a mounted folder's owner is who it runs as."""
    argv = [*podman, "run", "--rm", "--network=none", *_LIMITS]
    work = home / "project"
    work.mkdir()
    shutil.chown(work, "researcher1", "researcher1")
    number = work.stat().st_uid
    said = "import getpass, os, pathlib; print(os.getuid(), getpass.getuser(), pathlib.Path.home())"
    command = ["localhost/base", "python", "-c", said]
    for options, uid in (([], 1000), ([f"--volume={work}:/home/skiva/work"], number)):
        done = subprocess.run([*argv, *options, *command], capture_output=True, text=True, check=False)
        assert done.stdout == f"{uid} skiva /home/skiva\n", done.stderr
    done = subprocess.run([*argv, "--user=4711", *command], capture_output=True, text=True, check=False)
    assert done.stdout.startswith("4711 skiva /tmp/"), done.stderr


def test_an_image_for_cpus_takes_its_archives_from_elsewhere(images: Images, tmp_path: Path) -> None:
    """As in an env: CUDA's packages stay away, and the record has the hash of what was installed instead."""
    label = 'title = "Tiny"\nshown = ["heavy"]\nskiva = false\ngpu = "helps"\n'
    label += '[cpu]\nreplace = ["heavy"]\nomit = ["cuda-*"]\nneeds = "Cores."\n'
    made = (("heavy", "2.0"), ("cuda_runtime", "13.0"))
    wheels = [tiny_images.wheel(tmp_path / "cuda", *one) for one in made]
    tiny_images.wheel(tmp_path / "cpu", "heavy", "2.0+cpu")
    lock, smoke = "".join(map(tiny_images.lock_line, wheels)), "import heavy\n"
    tiny_images.definition(tmp_path / "definitions/heavy", lock, label=label, smoke=smoke)
    uv = str(Path(os.environ["SKIVA_TEST_DIR"]) / "venv/boot/bin/uv")
    options = Options(uv=uv, accelerator="cpu", cpu_wheels=str(tmp_path / "cpu"))
    store = Store(images.oci.path.parents[1])  # with the base that is there
    built, _ = build(find("heavy", [tmp_path / "definitions"]), "oci", store, options, lambda _: None)
    record = built.record()
    assert (record.packages, record.needs) == ({"heavy": "2.0+cpu"}, "Cores.")
    assert set(record.hashes) == {"heavy"}
