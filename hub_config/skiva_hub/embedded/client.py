"""What of this machine's Slurm a session inside an image needs, so that people hand jobs to it from there."""

import os
import re
import shlex
import subprocess
from dataclasses import replace
from pathlib import Path

from skiva_hub.embedded.errors import CannotStart
from skiva_hub.embedded.files import directory, write
from skiva_hub.embedded.layout import Layout

__all__ = ["c_library", "carry", "chosen", "found", "libraries"]

_PROGRAMS = ("sbatch", "squeue", "scancel", "scontrol", "sinfo")
_PLUGINS = ("usr/lib/*/slurm-wlm", "usr/lib/*/slurm", "usr/lib64/slurm")
_LIBRARIES = ("usr/lib/*/libmunge.so.2", "usr/lib64/libmunge.so.2")
_LIBC_OF_IMAGES = (2, 36)
"""Of the Debian 12 that images stand on: a program that was made for a newer one does not run there."""
_LINE = re.compile(r"\s+(?:(?P<name>\S+) => )?(?P<path>/\S+) \(0x[0-9a-f]+\)")
_SCRIPT = """\
#!/bin/sh
# made by skiva up, for images whose C library is older than this machine's
exec {loader} --library-path {libraries} --argv0 {name} {program} "$@"
"""


def chosen(layout: Layout) -> Layout:
    """The same with what sessions in images are given: the programs, or those that `carry` makes of them."""
    libc = c_library(os.confstr("CS_GNU_LIBC_VERSION") or "")
    if libc is None:
        return layout
    if libc <= _LIBC_OF_IMAGES:
        return replace(layout, client=found())
    return replace(layout, bin=layout.client_dir / "bin", client=(layout.client_dir, *_plugins(Path("/"))))


def c_library(name: str) -> tuple[int, int] | None:
    """The version of what the system calls its C library; None where that is another one than images have."""
    version = re.fullmatch(r"glibc (\d+)\.(\d+).*", name)
    return (int(version[1]), int(version[2])) if version else None


def found(root: Path = Path("/")) -> tuple[Path, ...]:
    """The programs, Slurm's library and plugins, and libmunge."""
    munge = (path for pattern in _LIBRARIES for path in sorted(root.glob(pattern)))
    return (*_programs(root), *_plugins(root), *munge)


def _programs(root: Path) -> list[Path]:
    return [path for name in _PROGRAMS if (path := root / "usr/bin" / name).exists()]


def _plugins(root: Path) -> list[Path]:
    return [path for pattern in _PLUGINS for path in sorted(root.glob(pattern))]


def carry(place: Path) -> None:
    """Lay the programs into `place`, with the loader and the libraries that they and Slurm's plugins need.

    `place`/bin has a script for each, which runs anywhere that `place` and Slurm's plugins are in sight.

    Raises:
        CannotStart: they could not be found.
    """
    programs, plugins = _programs(Path("/")), _plugins(Path("/"))
    files = [*programs, *(file for folder in plugins for file in sorted(folder.glob("*.so")))]
    # It complains of each plugin that needs what is not installed.
    done = subprocess.run(["/usr/bin/ldd", *files], capture_output=True, text=True, check=False)
    loader, needed = libraries(done.stdout)
    for name in ("", "bin", "lib", "programs"):
        directory(place / name)
    for path in (loader, *needed):
        if path.parent not in plugins:
            write(place / "lib" / path.name, path.read_bytes(), mode=0o755)
    for program in programs:
        copy = place / "programs" / program.name
        write(copy, program.read_bytes(), mode=0o755)
        words = {"loader": place / "lib" / loader.name, "libraries": place / "lib", "program": copy}
        quoted = {name: shlex.quote(str(word)) for name, word in words.items()}
        write(place / "bin" / program.name, _SCRIPT.format(name=program.name, **quoted), mode=0o755)


def libraries(printed: str) -> tuple[Path, list[Path]]:
    """The loader and the libraries that `ldd` prints for any number of programs.

    Raises:
        CannotStart: it names no loader.
    """
    rows = [row for line in printed.splitlines() if (row := _LINE.fullmatch(line))]
    loader = next((Path(row["path"]) for row in rows if row["name"] is None), None)
    if loader is None:
        raise CannotStart(
            "'ldd /usr/bin/sbatch' does not tell what Slurm's commands run with; install libc-bin."
        )
    return loader, sorted({Path(row["path"]) for row in rows if row["name"] is not None})
