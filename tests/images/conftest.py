"""Images that were really built, and a cluster whose hub offers them."""

import os
import pwd
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.support.images import Images, enter, squash


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests here build images and run jobs, which takes root; but everybody may build an env."""
    for item in items:
        only_env = item.path.name in {"test_builds.py", "test_definitions.py"}
        if "/tests/images/" in str(item.path) and not only_env:
            item.add_marker(pytest.mark.slurm)
            item.add_marker(pytest.mark.skipif(os.geteuid() != 0, reason="only root builds images"))


@pytest.fixture(autouse=True)
def _begin_to_build(request: pytest.FixtureRequest) -> None:
    """Images are built from the first test of this folder on, of which the first do not need them."""
    if os.geteuid() == 0:
        request.getfixturevalue("image_build")


@pytest.fixture(scope="module")
def images(image_cluster: Any) -> Images:
    """`base` as an OCI image and as a single file."""
    built: Images = image_cluster.images
    return built


@pytest.fixture(scope="module")
def cluster(image_cluster: Any) -> Any:
    """The cluster whose hub offers them."""
    return image_cluster.cluster


@pytest.fixture(scope="module")
def hostile(images: Images, cluster: Any) -> Iterator[dict[str, Path]]:
    """Both forms of an image whose builder wants more than he may: see `test_hostile_image.py`."""
    place = cluster.dir / "hostile"
    place.mkdir()
    rootfs, file = place / "rootfs", place / "image.sif"
    subprocess.run(["cp", "-al", str(images.rootfs), str(rootfs)], check=True)
    shutil.rmtree(rootfs / "opt/skiva")
    evil = rootfs / "evil"
    evil.mkdir()
    for program in ("id", "cat", "chown"):
        shutil.copy(images.rootfs / "usr/bin" / program, evil / program)
        (evil / program).chmod(0o6755)
    for number, device in enumerate(sorted((cluster.dir / "dev").glob("*/skiva*"))):
        os.mknod(evil / f"device{number}", 0o020666, device.stat().st_rdev)
        (evil / f"device{number}").chmod(0o666)
    os.mknod(evil / "disk", 0o060666, Path("/dev").stat().st_dev)
    squash(rootfs, file)
    yield {"directory": rootfs, "file": file}
    shutil.rmtree(place)


@pytest.fixture
def home(cluster: Any) -> Iterator[Path]:
    """researcher1's home; what a test makes in it goes."""
    path = Path(pwd.getpwnam("researcher1").pw_dir)
    before = set(path.iterdir())
    yield path
    for made in set(path.iterdir()) - before:
        shutil.rmtree(made) if made.is_dir() and not made.is_symlink() else made.unlink()


Job = Callable[..., tuple[str, str]]


@pytest.fixture
def job(cluster: Any, home: Path) -> Iterator[Job]:
    """`job(image, command, "--gres=…")`: a job of researcher1's: its last state, and what it printed."""
    started: list[int] = []

    def run(image: Path, command: Sequence[str], *options: str) -> tuple[str, str]:
        output = home / "output.txt"
        line = shlex.join(enter(image, command, [cluster.dir / "dev"]))
        given = options or ("--partition=cpu",)
        number = cluster.submit(
            "researcher1", f"--output={output}", "--mem=400", *given, script=f"exec {line}"
        )
        started.append(number)
        state = cluster.wait_state(number, "COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", seconds=60)
        return state, output.read_text()

    yield run
    if started:
        cluster.run_as("root", ["/usr/bin/scancel", *map(str, started)])
