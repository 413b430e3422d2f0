"""Real images for tests: `base`, built once a session, and what a hostile builder would make of it."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from skiva_images.definition import find
from skiva_images.forms import build
from skiva_images.launch import Launch, command_line
from skiva_images.plan import Options
from skiva_images.record import ImageRecord
from skiva_images.store import Built, Store

__all__ = ["MARKERS", "ImageBuild", "Images", "enter"]

MARKERS = {"netrc": "marker-of-a-password", "uv.toml": "marker-of-a-registry", "env": "marker-of-a-setting"}
"""What only the machine that builds may know."""


@dataclass(frozen=True)
class Images:
    """What was built.

    Attributes:
        seconds: that both builds took.
        said: each line of progress.
    """

    oci: Built
    sif: Built
    seconds: float
    said: tuple[str, ...]

    @property
    def rootfs(self) -> Path:
        """The unpacked image."""
        return self.oci.path / "rootfs"

    @property
    def record(self) -> ImageRecord:
        """Of the OCI image."""
        return self.oci.record()


class ImageBuild:
    """`base` as an OCI image and as a single file, while other tests run: that takes a minute or two."""

    def __init__(self, directory: Path) -> None:
        """Begin to build into the store of a state directory."""
        self.directory = directory
        self._log = directory / "build.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _PROGRAM, str(directory)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=Path(__file__).parents[2],
                start_new_session=True,
            )

    def wait(self) -> Images:
        """What was built."""
        assert self._process.wait() == 0, self._log.read_text(errors="replace")
        store = Store(self.directory / "images")
        oci, sif = (store.current("base", form) for form in ("oci", "sif"))
        assert oci is not None
        assert sif is not None
        told = json.loads((self.directory / _TOLD).read_text())
        return Images(oci, sif, told["seconds"], tuple(told["said"]))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Leave nothing of it running."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGINT)
            try:
                self._process.wait(60)
            except subprocess.TimeoutExpired:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()


_TOLD = "built.json"
_PROGRAM = """
import sys
from pathlib import Path
from tests.support.images import build_here
build_here(Path(sys.argv[1]))
"""


def build_here(directory: Path) -> None:
    """What that process does."""
    installed = Path(os.environ["SKIVA_TEST_DIR"]) / "venv"
    options = Options(uv=str(installed / "boot/bin/uv"), wheel=installed / "wheel")
    store = Store(directory / "images")
    said: list[str] = []
    began = time.monotonic()
    with _private_settings(directory / "settings"):
        build(find("base"), "sif", store, options, said.append)
    (directory / _TOLD).write_text(json.dumps({"seconds": time.monotonic() - began, "said": said}))


@contextmanager
def _private_settings(folder: Path) -> Iterator[None]:
    """Settings of this machine's that are needed for the build and may not be in what is built."""
    folder.mkdir(mode=0o700)
    netrc, config = folder / "netrc", folder / "uv.toml"
    netrc.write_text(f"machine skiva.invalid login skiva password {MARKERS['netrc']}\n")
    kept = os.environ.get("UV_CONFIG_FILE")
    config.write_text(f"# {MARKERS['uv.toml']}\n" + (Path(kept).read_text() if kept else ""))
    changed = {"NETRC": str(netrc), "UV_CONFIG_FILE": str(config), "UV_INDEX_SKIVA_PASSWORD": MARKERS["env"]}
    before = {name: os.environ.get(name) for name in changed}
    os.environ.update(changed)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value
        shutil.rmtree(folder)


def enter(image: Path, command: Sequence[str], binds: Sequence[Path] = ()) -> list[str]:
    """The argv that runs a command, not only Python, in an image."""
    places = tuple(map(str, binds))
    launch = Launch(launcher="namespace", python=command[0], image=str(image), binds=places)
    return command_line(launch, command[1:])


def squash(rootfs: Path, file: Path, options: Mapping[str, str] | None = None) -> None:
    """A single file, quickly."""
    extra = [part for pair in (options or {}).items() for part in pair]
    argv = ["mksquashfs", str(rootfs), str(file), "-quiet", "-no-progress", "-comp", "zstd"]
    subprocess.run([*argv, "-Xcompression-level", "1", *extra], check=True, capture_output=True)
    file.chmod(0o644)
