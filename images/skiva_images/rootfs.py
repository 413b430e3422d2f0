"""What every image stands on: a small Debian 12, made from Debian packages alone.

No image registry is asked, so that an image can be built wherever Debian packages can be had. How
this machine reaches them (mirror, proxy, certificates, passwords) is not in what is built.
"""

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from skiva_images.errors import BuildError
from skiva_images.say import Say

__all__ = [
    "PACKAGES",
    "PYTHON_VERSION",
    "SUITE",
    "base_tar",
    "command",
    "missing_tools",
    "run",
    "sources",
]

SUITE = "bookworm"
PYTHON_VERSION = "3.11"
"""Of the suite's python3."""
PACKAGES = (
    "bash",  # JupyterLab's terminal
    "ca-certificates",  # git and pip speak https
    "git",
    "less",  # git's pager
    "libmunge2",  # Slurm's commands say with it who they are
    "nano",
    "openssh-client",  # git over ssh
    "procps",  # ps, top
    "python3",
    "python3-venv",  # people make environments of their own in terminals
    "slurm-client",
    "tini",  # waits for orphans where an image is a container of its own
)
"""With what Debian calls essential and what these depend on, all that is in an image but Python packages."""

_LEFT_OUT = ("man", "info", "locale", "doc", "lintian", "bug")
_NETWORK = (
    "Acquire::http",
    "Acquire::https",
    "Acquire::ftp",
    "Acquire::Retries",
    "Acquire::Check-",
    "Acquire::By-Hash",
)
_COMPILE = (
    f"python3 -I -m compileall -f -qq --invalidation-mode unchecked-hash /usr/lib/python{PYTHON_VERSION}"
)
_KEPT_SECONDS = 7 * 86400
_FORMAT = "$(ORIGIN)\t$(CODENAME)\t$(REPO_URI)\t$(RELEASE)\t$(COMPONENT)\t$(CREATED_BY)\t$(SIGNED_BY)"


def missing_tools(tools: Mapping[str, str]) -> None:
    """Raise `BuildError` naming the Debian packages of those programs that this machine lacks."""
    lacking = sorted({package for tool, package in tools.items() if shutil.which(tool) is None})
    if lacking:
        raise BuildError(f"This machine lacks {', '.join(lacking)}: 'apt-get install {' '.join(lacking)}'.")


def run(argv: Sequence[str], *, log: Path, what: str, env: Mapping[str, str] | None = None) -> str:
    """Run a program, its complaints into `log`; what it printed. Raises `BuildError` with its last line."""
    with log.open("ab") as stream:
        stream.write(f"\n$ {' '.join(argv[:3])} …\n".encode())
        stream.flush()
        start = stream.tell()
        done = subprocess.run(
            list(argv), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=stream, env=env, check=False
        )
    if done.returncode:
        with log.open("rb") as stream:
            stream.seek(start)
            said = stream.read() + done.stdout
        lines = [line.strip() for line in said.decode(errors="replace").splitlines() if line.strip()]
        last = "\n  ".join(lines[-8:])
        raise BuildError(f"{what} failed ({argv[0]} ended with {done.returncode}):\n  {last}")
    return done.stdout.decode(errors="replace")


def sources(targets: str, suite: str = SUITE) -> list[str]:
    """apt's own lines for Debian's `suite`, from `apt-get indextargets`; empty where this machine has none.

    Repositories of others than Debian are left out.
    """
    found = []
    for line in targets.splitlines():
        fields = line.split("\t")
        if len(fields) != 7 or fields[5] != "Packages" or not fields[0].startswith("Debian"):
            continue
        _, codename, address, release, component, _, signed = fields
        if codename.partition("-")[0] != suite:
            continue
        option = f"[signed-by={signed}] " if signed.startswith("/") else ""
        found.append(f"deb {option}{address} {release} {component}")
    return list(dict.fromkeys(found))


def network_settings(dump: str) -> list[str]:
    """Of `apt-config dump`, what says how packages are fetched."""
    return [line for line in dump.splitlines() if line.startswith(_NETWORK) and not line.endswith('"";')]


def command(target: Path, mirrors: Iterable[str], settings: Path, passwords: Iterable[Path]) -> list[str]:
    """mmdebstrap's argv for the base as a tar file.

    Args:
        mirrors: apt's lines; none for Debian's own mirrors.
        settings: a file with apt's settings of the network.
        passwords: files or folders of apt's with passwords for mirrors.
    """
    left_out = [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in _LEFT_OUT]
    copies = [f"--setup-hook=copy-in {path} /etc/apt/" for path in passwords]
    away = "etc/apt/sources.list* etc/apt/auth.conf* etc/apt/apt.conf.d/99* etc/dpkg/dpkg.cfg.d/99*"
    # Munge made a key for itself, which is of no use on a cluster and looks as if it were.
    key = "etc/munge/munge.key"
    empty = "var/log/* var/cache/* var/lib/apt/lists/* etc/hostname etc/resolv.conf etc/machine-id"
    return [
        "mmdebstrap",
        "--variant=essential",
        "--format=tar",
        f"--aptopt={settings}",
        '--aptopt=Acquire::Languages "none"',
        "--dpkgopt=force-unsafe-io",
        *left_out,
        "--dpkgopt=path-include=/usr/share/doc/*/copyright",
        *copies,
        f"--include={','.join(PACKAGES)}",
        # Byte code that holds however the sources' times come out of a copy.
        f'--customize-hook=chroot "$1" {_COMPILE} || :',
        f'--customize-hook=cd "$1" && rm -rf {away} {empty} {key}',
        SUITE,
        str(target),
        *mirrors,
    ]


def base_tar(cache: Path, say: Say) -> Path:
    """The base as a tar file in `cache`, made anew when its list of packages changed or after a week.

    Raises:
        BuildError: it cannot be made.
    """
    missing_tools({"mmdebstrap": "mmdebstrap", "apt-get": "apt", "apt-config": "apt"})
    cache.mkdir(parents=True, exist_ok=True)
    recipe = json.dumps(command(Path("/"), (), Path("/"), ()))
    kept = cache / f"debian-{SUITE}-{hashlib.sha256(recipe.encode()).hexdigest()[:12]}.tar"
    with contextlib.suppress(FileNotFoundError):
        if time.time() - kept.stat().st_mtime < _KEPT_SECONDS:
            return kept
    say(f"Debian 12 from its packages ({len(PACKAGES)} and what they need; about a minute).")
    new, settings, log = (cache / f".{kept.name}.{os.getpid()}{end}" for end in ("", ".conf", ".log"))
    try:
        dump = run(["apt-config", "dump"], log=log, what="Reading apt's settings")
        settings.touch(mode=0o600)
        settings.write_text("".join(f"{line}\n" for line in network_settings(dump)))
        targets = run(["apt-get", "indextargets", "--format", _FORMAT], log=log, what="Reading apt's sources")
        passwords = [
            path for path in map(Path, ("/etc/apt/auth.conf", "/etc/apt/auth.conf.d")) if path.exists()
        ]
        argv = command(new, sources(targets), settings, passwords)
        # The same packages give the same bytes, whenever they are put together.
        env = {**os.environ, "TMPDIR": str(cache), "LC_ALL": "C.UTF-8", "SOURCE_DATE_EPOCH": "1672531200"}
        run(argv, log=log, what="Making the base from Debian's packages", env=env)
        new.replace(kept)
    finally:
        for path in (new, settings, log):
            path.unlink(missing_ok=True)
    return kept
