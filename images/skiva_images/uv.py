"""uv, which installs packages: found, run with its progress shown, and its failures put in one sentence."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from skiva_images.errors import BuildError
from skiva_images.say import Say

__all__ = ["explain", "find_uv", "run_uv"]

_DROPPED = ("PYTHON", "VIRTUAL_ENV", "CONDA_", "PIP_TARGET", "PIP_PREFIX", "PIP_USER", "UV_PROJECT")
_PROGRESS = re.compile(r"(Downloading|Building|Built|Prepared|Installed) .*")
_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
_PACKAGE = (
    r"Failed to [^\n`]*`([A-Za-z0-9][^`/@ ]*)",
    r"Failed to install: [^\n]*\(([^)\n]+)\)",
    r"Failed to fetch: `?[^\s`]*/([A-Za-z0-9][A-Za-z0-9._+%-]*)/?`?",
    r"there is no version of ([^\s]+)",
    r"Because ([A-Za-z0-9._-]+(?:==[^\s]+)?) ",
)
_CAUSES = {
    r"Hash mismatch for `([^`]+)`": (
        "The archive of {0} is not the one that the lock names: its hash differs. Nothing was kept; ask who "
        "runs your package index, or make the lock anew (images/lock)."
    ),
    r"No space left on device|os error 28|Disk quota exceeded|os error 122": (
        "There is no space left while installing {package}. Make room in {places}, and start again."
    ),
    r"(?i)dns error|error sending request|connection refused|timed out|is unreachable|no route to host": (
        "The package index cannot be reached for {package}. See whether this machine has a network, and "
        "whether uv knows your index (UV_DEFAULT_INDEX) and proxy (HTTPS_PROXY); then start again."
    ),
    r"HTTP status (?:client|server) error \((\d+)|status code (\d+)": (
        "The package index answers with status {0}{1} when asked for {package}; see whether uv may use it."
    ),
    r"Failed to build `?([^`\s]+)`?": (
        "{0} has no ready archive for this Python and machine, and making one failed; try another --python."
    ),
    r"was not found|there is no version of|no wheels with a matching|can be used|Because only": (
        "The package index lacks what the lock names: {package}. See whether uv uses the right index, or "
        "make the lock anew (images/lock)."
    ),
    r"Permission denied|os error 13": (
        "A file cannot be written while installing {package}; see who may write to {places}."
    ),
}


def find_uv(chosen: str | None = None) -> str:
    """The program uv: the one that was chosen, Skiva's own installer's, or what is on PATH.

    Raises `BuildError` where there is none.
    """
    named = chosen or os.environ.get("SKIVA_UV")
    if named:
        if os.access(named, os.X_OK) and Path(named).is_file():
            return named
        raise BuildError(f"{named} is not a program; name uv with --uv.")
    beside = Path(sys.prefix)
    for place in (beside / "bin" / "uv", beside.parent / "boot" / "bin" / "uv"):
        if os.access(place, os.X_OK):
            return str(place)
    if found := shutil.which("uv"):
        return found
    raise BuildError(
        "uv, which installs packages, is missing: 'python3 -m pip install uv', or name it (--uv)."
    )


def environment(own: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The variables that uv is run with: the caller's, less what speaks of another Python."""
    env = {name: value for name, value in own.items() if not name.startswith(_DROPPED)}
    if _CERTIFICATES.exists():  # a site's own authority may be among them
        env.setdefault("UV_SYSTEM_CERTS", "true")
    return env | {"UV_PYTHON_DOWNLOADS": "never", "UV_NO_PROGRESS": "1", "NO_COLOR": "1"}


def run_uv(uv: str, arguments: Sequence[str], *, say: Say, folder: Path, places: Iterable[Path] = ()) -> str:
    """Run uv in `folder` and return what it prints; its progress goes to `say`.

    Raises `BuildError` with one sentence where it fails; `places` are what a full disk is told with.
    """
    command = [*_dies_with(os.getpid()), uv, *arguments]
    try:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
    except OSError as error:
        raise BuildError(f"{uv} cannot be run: {error.strerror}.") from error
    lines = []
    with process:
        try:
            assert process.stdout is not None  # noqa: S101 - a pipe was asked for
            for line in process.stdout:
                lines.append(line)
                if progress := _PROGRESS.match(line.strip()):
                    say(f"  {progress[0]}")
        except BaseException:
            process.kill()
            raise
    text = "".join(lines)
    if process.returncode:
        raise BuildError(explain(text, places))
    return text


def _dies_with(parent: int) -> list[str]:
    """What a command begins with, so that it does not go on writing where the next build clears up."""
    if not shutil.which("setpriv"):
        return []
    # The parent may die before the signal of its death is asked for.
    unless_orphaned = '[ "$PPID" = "$1" ] && shift && exec "$@"'
    return ["setpriv", "--pdeathsig", "KILL", "--", "sh", "-c", unless_orphaned, "uv", str(parent)]


def explain(text: str, places: Iterable[Path] = ()) -> str:
    """One sentence on why uv failed and what to do, from what it printed."""
    named = (found[1] for pattern in _PACKAGE if (found := re.search(pattern, text)))
    package = next(named, "a package")
    where = " and ".join(map(str, places)) or "the store and uv's cache"
    for pattern, sentence in _CAUSES.items():
        if found := re.search(pattern, text):
            groups = [group or "" for group in found.groups()]
            return sentence.format(*groups, package=package, places=where)
    words = [line.strip() for line in text.splitlines() if line.strip()]
    return f"Installing {package} failed. uv says: {' '.join(words[-4:])[:600]}"
