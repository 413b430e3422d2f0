"""The images that starts are measured from: built once beside the tests' environments, or given."""

import os
import subprocess
import sys
from pathlib import Path

from bench.ours import CannotMeasure

_DEFINITIONS = Path(__file__).parents[1] / "images"


def environment(given: Path | None) -> Path:
    """The plain environment: the one that was named, or that of the tests.

    Raises:
        CannotMeasure: there is none.
    """
    return given.absolute() if given else _installed() / "venv/base"


def image(form: str, given: Path | None) -> Path:
    """An image of `base` as a root directory (`oci`) or a single file (`sif`), built where none was named.

    Raises:
        CannotMeasure: it could not be built.
    """
    if given:
        return given.absolute()
    installed = _installed()
    store, venv = installed / "images", installed / "venv"
    command = ["build", "base", f"--form={form}", f"--store={store}"]
    names = {"UV": venv / "boot/bin/uv", "WHEEL": venv / "wheel", "DEFINITIONS": _DEFINITIONS}
    done = subprocess.run(
        [str(venv / "hub/bin/python"), "-I", "-m", "skiva_images.command", *command],
        env=os.environ | {f"SKIVA_{name}": str(path) for name, path in names.items()},
        stdout=sys.stderr,
        check=False,
    )
    current = store / "base" / f"current.{form}"
    if done.returncode or not current.exists():
        raise CannotMeasure(f"There is no image to measure: skiva images {' '.join(command)} failed.")
    built = current.resolve()
    return built / "rootfs" if form == "oci" else built


def _installed() -> Path:
    directory = os.environ.get("SKIVA_TEST_DIR", "")
    if not directory:
        raise CannotMeasure("SKIVA_TEST_DIR is not set: measure with ./skiva bench start")
    return Path(directory)
