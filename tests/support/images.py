"""Real images for tests: `base`, built once a session, and what a hostile builder would make of it."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from skiva_images.definition import find
from skiva_images.forms import build
from skiva_images.launch import Launch, command_line
from skiva_images.plan import Options
from skiva_images.record import ImageRecord
from skiva_images.store import Built, Store

__all__ = ["MARKERS", "Images", "build_images", "enter"]

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


def build_images(directory: Path) -> Images:
    """Build `base` as an OCI image and as a single file into the store of a state directory."""
    installed = Path(os.environ["SKIVA_TEST_DIR"]) / "venv"
    options = Options(uv=str(installed / "boot/bin/uv"), wheel=installed / "wheel")
    store = Store(directory / "images")
    said: list[str] = []
    began = time.monotonic()
    with _private_settings(directory / "settings"):
        sif, _ = build(find("base"), "sif", store, options, said.append)
    oci = store.current("base", "oci")
    assert oci is not None
    return Images(oci, sif, time.monotonic() - began, tuple(said))


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
