"""A machine of its own for what a manual tells to install: its files, its accounts and its loopback network.

Only what stands below `_WRITTEN` may be written, and is gone at the end. The thread that enters it, and all
that it starts meanwhile, is on that machine; every port of it is free.
"""

import ctypes
import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["own_machine"]

_WRITTEN = ("/etc", "/home", "/opt", "/usr/local", "/var/lib")
_OURS = r"^(researcher[0-9]|instructor[0-9]|skiva-|slurm-extend)"
_NEW_FILES, _NEW_NETWORK = 0x0002_0000, 0x4000_0000  # CLONE_NEWNS, CLONE_NEWNET
_KINDS = {"mnt": _NEW_FILES, "net": _NEW_NETWORK}


@contextmanager
def own_machine() -> Iterator[None]:
    """Be on it. It takes root."""
    libc = ctypes.CDLL(None, use_errno=True)
    before = {name: os.open(f"/proc/thread-self/ns/{name}", os.O_RDONLY) for name in _KINDS}
    place = Path(tempfile.mkdtemp(prefix="skiva-machine-", dir="/var/tmp"))
    _check(libc.unshare(_NEW_FILES | _NEW_NETWORK))
    try:
        _run("mount", "--make-rslave", "/")
        _run("ip", "link", "set", "lo", "up")
        # Where there is none but 127.0.0.1, names are looked up as if there were no network.
        _run("ip", "address", "add", "192.0.2.1/32", "dev", "lo")
        _run("mount", "-t", "tmpfs", "skiva-test", str(place))
        for path in _WRITTEN:
            _cover(path, place / path.strip("/").replace("/", "-"))
        _forget_accounts()
        yield
    finally:
        for name, kind in _KINDS.items():
            _check(libc.setns(before[name], kind))
            os.close(before[name])
        place.rmdir()


def _cover(path: str, place: Path) -> None:
    """Let what is written there go elsewhere."""
    upper, work = place / "upper", place / "work"
    upper.mkdir(parents=True)
    work.mkdir()
    # Its mode becomes that of the place.
    upper.chmod(Path(path).stat().st_mode & 0o7777)
    _run("mount", "-t", "overlay", "o", "-o", f"lowerdir={path},upperdir={upper},workdir={work}", path)


def _forget_accounts() -> None:
    """Have none of the accounts that other sites on this machine have, nor give their numbers away."""
    for name in ("passwd", "shadow", "group", "gshadow", "subuid", "subgid"):
        _run("sed", "-i", "-E", rf"/{_OURS}/d; s/(:|,)(researcher|instructor)[0-9][^,]*//g", f"/etc/{name}")
    for path in [*Path("/etc").glob("skiva-accounts.*"), *Path("/etc/sudoers.d").glob("skiva*")]:
        path.unlink()
    for home in Path("/home").iterdir():
        _run("rm", "-r", str(home))
    with Path("/etc/login.defs").open("a") as settings:
        settings.write("UID_MIN 50000\nUID_MAX 50999\nGID_MIN 50000\nGID_MAX 50999\n")
        settings.write("SYS_UID_MIN 700\nSYS_UID_MAX 740\nSYS_GID_MIN 700\nSYS_GID_MAX 740\n")


def _check(status: int) -> None:
    if status != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _run(*argv: str) -> None:
    subprocess.run(argv, check=True)
