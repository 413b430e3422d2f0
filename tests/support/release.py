"""Runs a command on another release of Debian: `python3 -m tests.support.release SUITE COMMAND…`, as root.

`./skiva test --on SUITE` runs the tests so. The release is a directory of Debian packages, made once from the
archive that this machine's apt is configured for and kept in /var/cache/skiva. To the command it is the whole
machine, with processes, mounts and a host name of its own, and the checkout at its usual path. Kernel,
cgroups and network are those of this machine.
"""

import argparse
import fcntl
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from skiva_images.errors import BuildError
from skiva_images.rootfs import missing_tools, network_settings, run, sources
from skiva_images.say import to_terminal

__all__ = ["archive", "main", "recipe"]

_CHECKOUT = Path(__file__).resolve().parents[2]
_CACHE = Path("/var/cache/skiva")
_PACKAGES = ("ca-certificates", "iproute2", "procps", "python3", "python3-venv")
"""What `./skiva` and the tests take for granted; the rest they install."""
_TARGETS = "$(ORIGIN)\t$(CODENAME)\t$(REPO_URI)\t$(RELEASE)\t$(COMPONENT)\t$(CREATED_BY)\t$(SIGNED_BY)"
_PASSWORDS = ("/etc/apt/auth.conf", "/etc/apt/auth.conf.d")
_REACHED_BY = (
    "/etc/resolv.conf",
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pip.conf",
    "/root/.config/pip/pip.conf",
    "/root/.config/uv/uv.toml",
    "/root/.npmrc",
)
"""How this machine reaches package registries: copied anew each time, where it is there."""
_NOT_PASSED_ON = ("PYTHONPATH", "SKIVA_TEST_DIR", "TMPDIR")


def main(arguments: Sequence[str]) -> int:
    """Make the release where it is not there yet, and become the command that runs in it."""
    given = _parser().parse_args(arguments)
    if given.inside:
        return _inside(given.suite, given.inside, given.command)
    if os.geteuid() != 0:
        return _refuse("Only root can run tests on another release.")
    _CACHE.mkdir(parents=True, exist_ok=True)
    root = _CACHE / f"on-{given.suite}"
    # One at a time: accounts and installed packages are the release's own. Held by what runs in it.
    lock = os.open(f"{root}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    os.set_inheritable(lock, True)
    try:
        _make(given.suite, root)
    except BuildError as problem:
        return _refuse(str(problem))
    namespaces = ("--mount", "--pid", "--uts", "--ipc", "--fork", "--kill-child", "--propagation", "private")
    python = (sys.executable, "-m", "tests.support.release", "--inside", str(root), given.suite)
    os.chdir(_CHECKOUT)
    return os.execvp("unshare", ["unshare", *namespaces, "--", *python, *given.command])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="skiva test --on", description="Run on another release of Debian.")
    parser.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("suite", type=_suite, help="the release's name, such as trixie")
    parser.add_argument("command", nargs=argparse.REMAINDER, metavar="COMMAND", help="what to run in it")
    return parser


def _suite(text: str) -> str:
    if not re.fullmatch("[a-z]+", text):
        raise argparse.ArgumentTypeError("must be the name of a release of Debian, such as trixie")
    return text


def _refuse(sentence: str) -> int:
    to_terminal(sentence)
    return 1


# -- the release -----------------------------------------------------------------------------


def archive(targets: str, here: str, suite: str) -> list[str]:
    """apt's lines for `suite`: those that it has, or those for this machine's own release, renamed."""
    if own := sources(targets, suite):
        return own
    lines = (line.split(" ") for line in sources(targets, here))
    # Only the archive itself: a release may have no updates or security fixes of its own.
    return [" ".join([*parts[:-2], suite, parts[-1]]) for parts in lines if parts[-2] == here]


def recipe(suite: str, root: Path, lines: Sequence[str], settings: Path) -> list[str]:
    """mmdebstrap's argv for a release as a directory, in which apt reaches what it reaches here."""
    passwords = [f"--setup-hook=copy-in {path} /etc/apt/" for path in _PASSWORDS if Path(path).exists()]
    return [
        "mmdebstrap",
        "--variant=minbase",
        "--format=directory",
        f"--aptopt={settings}",
        '--aptopt=Acquire::Languages "none"',
        "--dpkgopt=force-unsafe-io",
        *passwords,
        f"--include={','.join(_PACKAGES)}",
        suite,
        str(root),
        *lines,
    ]


def _make(suite: str, root: Path) -> None:
    stamp = hashlib.sha256(json.dumps(recipe(suite, root, (), Path("/"))).encode()).hexdigest()
    kept = Path(f"{root}.stamp")
    if kept.exists() and kept.read_text() == stamp:
        return
    missing_tools({"mmdebstrap": "mmdebstrap", "apt-get": "apt"})
    to_terminal(f"Installing {suite} from its packages; about a minute.")
    log, settings = Path(f"{root}.log"), Path(f"{root}.conf")
    log.unlink(missing_ok=True)
    kept.unlink(missing_ok=True)
    shutil.rmtree(root, ignore_errors=True)
    dump = run(["apt-config", "dump"], log=log, what="Reading apt's settings")
    targets = run(["apt-get", "indextargets", "--format", _TARGETS], log=log, what="Reading apt's sources")
    lines = archive(targets, _codename(), suite)
    if not lines:
        raise BuildError(
            "apt on this machine knows no archive of Debian, so there is nothing to install from."
        )
    try:
        settings.touch(mode=0o600)
        settings.write_text("".join(f"{line}\n" for line in network_settings(dump)))
        run(recipe(suite, root, lines, settings), log=log, what=f"Installing {suite}")
    finally:
        settings.unlink(missing_ok=True)
    kept.write_text(stamp)


def _codename() -> str:
    release = Path("/etc/os-release").read_text().splitlines()
    return next((line.partition("=")[2] for line in release if line.startswith("VERSION_CODENAME=")), "")


# -- in namespaces of its own ----------------------------------------------------------------


def _inside(suite: str, root: Path, command: Sequence[str]) -> int:
    """Become the first process of the other machine, run the command and collect what it leaves behind."""
    if os.getpid() != 1:
        raise SystemExit("This changes mounts: it is for namespaces of its own.")
    for path in map(Path, _REACHED_BY):
        if path.is_file():
            _below(root, path.parent).mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, _below(root, path))
    hosts = _below(root, Path("/etc/hosts"))
    hosts.write_text(f"127.0.0.1 localhost {suite}\n")
    _mount("--bind", root, root)
    for path in map(Path, ("/dev", "/sys")):
        _mount("--rbind", path, _below(root, path))
    _mount("-t", "proc", "proc", _below(root, Path("/proc")))
    _mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", _below(root, Path("/run")))
    _below(root, _CHECKOUT).mkdir(parents=True, exist_ok=True)
    _mount("--bind", _CHECKOUT, _below(root, _CHECKOUT))
    _run("hostname", suite)
    os.chdir(root)
    _run("pivot_root", ".", "mnt")
    os.chdir(_CHECKOUT)
    _run("umount", "--lazy", "/mnt")
    env = {name: value for name, value in os.environ.items() if name not in _NOT_PASSED_ON}
    # Ctrl-C is the command's to answer; what it starts in the background must not ignore it.
    signal.signal(signal.SIGINT, lambda *_: None)
    child = subprocess.Popen(list(command), env=env)
    while True:
        pid, status = os.waitpid(-1, 0)
        if pid == child.pid:
            return os.waitstatus_to_exitcode(status) & 0xFF


def _below(root: Path, path: Path) -> Path:
    return root / path.relative_to("/")


def _mount(*arguments: object) -> None:
    _run("mount", *arguments)


def _run(*argv: object) -> None:
    subprocess.run(list(map(str, argv)), check=True)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
