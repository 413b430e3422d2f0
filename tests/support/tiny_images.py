"""Small packages, locks and definitions, so that a build takes a second and needs no network."""

import base64
import hashlib
import zipfile
from collections.abc import Mapping
from pathlib import Path

LABEL = 'title = "Tiny"\nshown = ["tiny"]\nskiva = false\n'
SMOKE = "import tiny\nassert tiny.VERSION\n"


def wheel(folder: Path, name: str, version: str, files: Mapping[str, str] | None = None) -> Path:
    """A wheel of one package with its version in it, and of further files."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    content = {
        f"{name}/__init__.py": f"VERSION = {version!r}\n",
        **(files or {}),
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": f"[console_scripts]\n{name} = {name}:main\n",
    }
    rows = [f"{path},{_record_hash(text)},{len(text)}" for path, text in content.items()]
    content[f"{info}/RECORD"] = "\n".join([*rows, f"{info}/RECORD,,", ""])
    with zipfile.ZipFile(file, "w") as archive:
        for path, text in content.items():
            archive.writestr(zipfile.ZipInfo(path), text)  # the same bytes whenever it is made
    return file


def _record_hash(text: str) -> str:
    value = hashlib.sha256(text.encode()).digest()
    return f"sha256={base64.urlsafe_b64encode(value).rstrip(b'=').decode()}"


def lock_line(file: Path, *, sha256: str | None = None) -> str:
    """What a lock says of this wheel."""
    name, version = file.name.split("-")[:2]
    return (
        f"{name}=={version} \\\n    --hash=sha256:{sha256 or hashlib.sha256(file.read_bytes()).hexdigest()}\n"
    )


def definition(folder: Path, lock: str, *, label: str = LABEL, smoke: str = SMOKE) -> Path:
    """A definition in this folder, which is called what it is called."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "image.toml").write_text(label)
    (folder / "requirements.in").write_text("tiny\n")
    (folder / "requirements.txt").write_text(lock)
    (folder / "smoke.py").write_text(smoke)
    return folder
