"""The Linux accounts of an embedded cluster: the hub's, and a few people to try it with.

Accounts belong to the machine, so which of them were made here, and which state directories use
them, is written down once for the machine. An account that was there before is never touched.
"""

import fcntl
import grp
import json
import pwd
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from skiva_hub.embedded.errors import CannotStart
from skiva_hub.embedded.files import write

HUB = "skiva-hub"
GROUP = "skiva-users"
PEOPLE = ("researcher1", "researcher2", "researcher3", "instructor1")
_RECORD = Path("/var/lib/skiva-accounts.json")
_LOCK = Path("/run/lock/skiva-accounts.lock")


@dataclass
class _Record:
    """What was made here, and for which state directories it is kept."""

    groups: list[str] = field(default_factory=list)
    users: list[str] = field(default_factory=list)
    used_by: list[str] = field(default_factory=list)


def ensure(directory: Path) -> tuple[list[str], list[str]]:
    """Make what is missing, for the cluster in `directory`.

    Returns:
        The people who may sign in, and those whose account was there before and is left alone.

    Raises:
        CannotStart: the hub's account or the group was there before and is not ours, or cannot be made.
    """
    with _record() as record:
        if str(directory) not in record.used_by:
            record.used_by.append(str(directory))
        if not _group_exists(GROUP):
            _run("groupadd", "--system", GROUP)
            record.groups.append(GROUP)
        if not _user_exists(HUB):
            home = ("--home-dir", "/nonexistent", "--no-create-home", "--shell", "/usr/sbin/nologin")
            _run("useradd", "--system", "--user-group", *home, HUB)
            record.users.append(HUB)
        for name in (n for n in PEOPLE if not _user_exists(n)):
            look = ("--create-home", "--key", "HOME_MODE=0700", "--shell", "/bin/bash")
            _run("useradd", "--user-group", *look, "--groups", GROUP, name)
            record.users.append(name)
        record.users = list(dict.fromkeys(record.users))
        foreign = [n for n in (HUB, GROUP) if n not in record.users + record.groups]
        if foreign:
            raise CannotStart(
                f"{foreign[0]} is there already and was not made by skiva; remove or rename it first."
            )
        return [n for n in PEOPLE if n in record.users], [n for n in PEOPLE if n not in record.users]


def release(directory: Path) -> list[str]:
    """Say that `directory` no longer needs the accounts; the last one removes those made here."""
    with _record() as record:
        still = [d for d in record.used_by if d != str(directory) and Path(d, "ports.json").exists()]
        record.used_by = still
        if still:
            return []
        gone = [name for name in record.users if _user_exists(name)]
        for name in gone:
            _run("userdel", "--force", *([] if name == HUB else ["--remove"]), name)
        for name in filter(_group_exists, record.groups):
            _run("groupdel", name)
        record.users, record.groups = [], []
        return gone


@contextmanager
def _record() -> Iterator[_Record]:
    """The machine's record, held by one program at a time and written back at the end, come what may."""
    with _LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            record = _Record(**json.loads(_RECORD.read_text()))
        except (OSError, ValueError, TypeError):
            record = _Record()
        try:
            yield record
        finally:
            if record.users or record.groups:
                write(_RECORD, json.dumps(vars(record), indent=1) + "\n", mode=0o600)
            else:
                _RECORD.unlink(missing_ok=True)


def _user_exists(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def _group_exists(name: str) -> bool:
    try:
        grp.getgrnam(name)
    except KeyError:
        return False
    return True


def _run(program: str, *arguments: str) -> None:
    done = subprocess.run(
        [f"/usr/sbin/{program}", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    # userdel says 12 when a mailbox or home could not be removed; the account is gone all the same.
    if done.returncode not in (0, 12):
        raise CannotStart(
            f"{program} {arguments[-1]} failed: {done.stderr.strip().splitlines()[-1:] or 'no reason given'}"
        )
