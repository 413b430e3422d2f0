"""The Linux accounts of an embedded cluster: the hub's, and a few people to try it with.

Accounts belong to the machine, and each cluster has its own: the first one those with plain names, others
(and those on a machine where one of these names is somebody's) the same with the cluster's id behind them.
Which state directory has which is written down once for the machine, before any account is made; so an
account that was there before is never used and never removed.
"""

import fcntl
import grp
import json
import os
import pwd
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from skiva_hub.embedded.errors import CannotStart
from skiva_hub.embedded.files import write
from skiva_hub.embedded.layout import cluster_id

_PEOPLE = ("researcher1", "researcher2", "researcher3", "instructor1")
# Beside /etc/passwd, so that a copy or a backup of one never goes without the other.
_RECORD, _LOCK = Path("/etc/skiva-accounts.json"), Path("/etc/skiva-accounts.lock")


@dataclass(frozen=True, slots=True)
class Accounts:
    """One cluster's accounts; `suffix` is behind all of their names."""

    suffix: str = ""

    @property
    def hub(self) -> str:
        """Whom the hub runs as."""
        return f"skiva-hub{self.suffix}"

    @property
    def group(self) -> str:
        """The group of the people, and of nobody else."""
        return f"skiva-users{self.suffix}"

    @property
    def people(self) -> tuple[str, ...]:
        """Who may sign in."""
        return tuple(f"{name}{self.suffix}" for name in _PEOPLE)

    def there(self) -> list[str]:
        """Those of the accounts that exist."""
        return [name for name in (self.hub, *self.people) if _user_exists(name)]


def claim(directory: Path) -> Accounts:
    """The accounts for the cluster in `directory`, from now on nobody else's; none is made yet.

    Those of a directory that was removed by hand go to the next one.

    Raises:
        CannotStart: accounts of these names were there before.
    """
    with _record() as record:
        if (kept := record.get(str(directory))) is not None:
            return Accounts(kept)
        for gone in [d for d, suffix in record.items() if not suffix and _is_gone(d)]:
            record[str(directory)] = record.pop(gone)
            return Accounts()
        for suffix in ("", f"-{cluster_id(directory)}"):
            found = Accounts(suffix)
            if suffix not in record.values() and not found.there() and not _group_exists(found.group):
                record[str(directory)] = suffix
                return found
    raise CannotStart(
        f"The accounts {', '.join(found.there()) or found.group} are there already and were not made by "
        "skiva; remove or rename them, or choose another directory with --dir."
    )


def make(accounts: Accounts) -> None:
    """Make those that are missing.

    Raises:
        CannotStart: one cannot be made.
    """
    if not _group_exists(accounts.group):
        _run("groupadd", "--system", accounts.group)
    if not _user_exists(accounts.hub):
        home = ("--home-dir", "/nonexistent", "--no-create-home", "--shell", "/usr/sbin/nologin")
        _run("useradd", "--system", "--user-group", *home, accounts.hub)
    for name in (n for n in accounts.people if not _user_exists(n)):
        look = ("--create-home", "--key", "HOME_MODE=0700", "--shell", "/bin/bash")
        _run("useradd", "--user-group", *look, "--groups", accounts.group, name)


def release(directory: Path) -> list[str]:
    """Remove the accounts of `directory`, and of directories that were removed by hand; the names."""
    removed: list[str] = []
    with _record() as record:
        for name in [d for d in record if d == str(directory) or _is_gone(d)]:
            accounts = Accounts(record.pop(name))
            for account in accounts.there():
                _run("userdel", "--force", *([] if account == accounts.hub else ["--remove"]), account)
                removed.append(account)
            if _group_exists(accounts.group):
                _run("groupdel", accounts.group)
    return removed


@contextmanager
def _record() -> Iterator[dict[str, str]]:
    """Each state directory's suffix, held by one program at a time and written back at the end.

    It is written after accounts were removed and, by `claim`, before they are made, so that a program that
    is killed in between leaves no account of which nobody knows.
    """
    with _LOCK.open("a") as lock:
        os.fchmod(lock.fileno(), 0o600)  # whoever can read it can hold it
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            record = {str(d): str(suffix) for d, suffix in json.loads(_RECORD.read_text()).items()}
        except FileNotFoundError:
            record = {}
        except (OSError, ValueError, AttributeError) as problem:
            raise CannotStart(f"{_RECORD} cannot be read ({problem}); mend it or remove it.") from problem
        yield record
        if record:
            write(_RECORD, json.dumps(record, indent=1) + "\n", mode=0o600)
        else:
            _RECORD.unlink(missing_ok=True)


def _is_gone(directory: str) -> bool:
    return not Path(directory, "ports.json").exists()


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
