"""From an environment's files to its record."""

import os
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from skiva_images.definition import Label, shown_versions
from skiva_images.digest import digest, installed, pyvenv_version, site_packages
from skiva_images.record import Form, ImageRecord

__all__ = ["debian_packages", "describe", "disk_use", "now"]


def describe(
    prefix: Path,
    *,
    name: str,
    label: Label,
    form: Form,
    python: str | None = None,
    python_version: str | None = None,
    hashes: Mapping[str, str] | None = None,
    recipe: str = "",
    root: Path | None = None,
) -> ImageRecord:
    """The record of the environment below `prefix`, which need not be that of the running Python.

    `python` is its path as it is called inside an image. `root` is the image's root directory, whose Debian
    packages are named too. Raises `FileNotFoundError` where `prefix` is not a Python environment.
    """
    version = python_version or pyvenv_version(prefix)
    found = installed(site_packages(prefix))
    packages = {package.name: package.version for package in found}
    on_cpu = label.cpu is not None and any("+cpu" in packages.get(name, "") for name in label.cpu.replace)
    return ImageRecord(
        name=name,
        form=form,
        digest=digest(version, found),
        python=python or str(prefix / "bin" / "python"),
        python_version=version,
        title=label.title,
        description=label.description,
        good_for=label.good_for,
        needs=label.cpu.needs if label.cpu and on_cpu else label.needs,
        gpu="unused" if on_cpu else label.gpu,
        versions=shown_versions(label.shown, packages),
        packages=packages,
        debian=debian_packages(root) if root else {},
        hashes=dict(hashes or {}),
        recipe=recipe,
        size=disk_use(root or prefix),
        built=now(),
        skiva=packages.get("skiva", ""),
    )


def now() -> str:
    """The time as records say it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def debian_packages(root: Path) -> dict[str, str]:
    """The Debian packages installed below this root directory, by name; none where there is no dpkg."""
    try:
        text = (root / "var/lib/dpkg/status").read_text("utf-8", "replace")
    except OSError:
        return {}
    found = {}
    for paragraph in text.split("\n\n"):
        fields = dict(re.findall(r"^(Package|Status|Version): (.+)$", paragraph, re.MULTILINE))
        if fields.get("Status", "").endswith(" installed") and {"Package", "Version"} <= fields.keys():
            found[fields["Package"]] = fields["Version"]
    return dict(sorted(found.items()))


def disk_use(folder: Path) -> int:
    """Bytes that the files below `folder` hold, each counted once, links not followed."""
    seen, total = set(), 0
    for here, _, files in os.walk(folder):
        for file in files:
            status = os.lstat(os.path.join(here, file))  # noqa: PTH118 - tens of thousands of files
            if status.st_nlink == 1 or (status.st_dev, status.st_ino) not in seen:
                seen.add((status.st_dev, status.st_ino))
                total += status.st_size
    return total
