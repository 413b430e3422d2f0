"""The demonstration accounts, made and removed by the real tools on a private copy of /etc."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can make accounts")

# A mount namespace of its own, with its own /etc, /home and /var/lib, from which our accounts are struck.
_PRIVATE = """
set -e
mount -t tmpfs none "$1"
cp -a /etc "$1/etc"
for file in passwd shadow group gshadow subuid subgid; do
    grep -vE '^(researcher[0-9]|instructor1|skiva-)|^skiva-users' "/etc/$file" >"$1/etc/$file" || :
    sed -i -E 's/(:|,)(researcher[0-9]|instructor1)//g' "$1/etc/$file"
done
mount --bind "$1/etc" /etc
for empty in /home /var/lib /run/lock; do mount -t tmpfs none $empty; done
shift
exec "$@"
"""

_BODY = """
import json, pwd, sys
from pathlib import Path
from skiva_hub.embedded import accounts
from skiva_hub.embedded.errors import CannotStart

def there():
    names = ["skiva-hub", *accounts.PEOPLE]
    return [n for n in names if any(e.pw_name == n for e in pwd.getpwall())]

def directory(name):
    path = Path(sys.argv[1]) / name
    path.mkdir()
    (path / "ports.json").touch()
    return path

told = {}
"""


def _run(tmp_path: Path, body: str) -> Any:
    """What a program that fills `told` leaves in it."""
    command = [
        "/usr/bin/unshare",
        "--mount",
        "--propagation",
        "private",
        "--",
        "/bin/sh",
        "-c",
        _PRIVATE,
        "sh",
    ]
    (tmp_path / "etc").mkdir()
    work = tmp_path / "work"
    work.mkdir()
    program = f"{_BODY}{body}\nprint(json.dumps(told))"
    done = subprocess.run(
        [*command, str(tmp_path / "etc"), sys.executable, "-c", program, str(work)],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_last_directory_takes_the_accounts_with_it(tmp_path: Path) -> None:
    """Accounts stay while another state directory uses them, and their homes go with them."""
    told = _run(
        tmp_path,
        """
a, b = directory("a"), directory("b")
told["names"], told["foreign"] = accounts.ensure(a)
accounts.ensure(b)
told["home"] = oct(Path("/home/researcher1").stat().st_mode & 0o777)
told["locked"] = [line.split(":")[1][:1] for line in open("/etc/shadow") if line.startswith("researcher1:")]
told["first"], told["between"] = accounts.release(a), there()
told["second"], told["after"] = sorted(accounts.release(b)), there()
told["homes"] = sorted(p.name for p in Path("/home").iterdir())
told["record"] = Path("/var/lib/skiva-accounts.json").exists()
""",
    )
    people = ["researcher1", "researcher2", "researcher3", "instructor1"]
    assert (told["names"], told["foreign"]) == (people, [])
    assert (told["home"], told["locked"]) == ("0o700", ["!"])
    assert (told["first"], told["between"]) == ([], ["skiva-hub", *people])
    assert (told["second"], told["after"]) == (sorted(["skiva-hub", *people]), [])
    assert (told["homes"], told["record"]) == ([], False)


def test_a_directory_that_is_gone_keeps_no_account(tmp_path: Path) -> None:
    """A state directory removed by hand does not keep the accounts for ever."""
    told = _run(
        tmp_path,
        """
a, b = directory("a"), directory("b")
accounts.ensure(a), accounts.ensure(b)
(a / "ports.json").unlink()
accounts.release(b)
told["after"] = there()
""",
    )
    assert told["after"] == []


def test_an_account_that_was_there_is_left_alone(tmp_path: Path) -> None:
    """Somebody whose name is researcher1 can neither be acted for nor lose the account."""
    told = _run(
        tmp_path,
        """
import grp, subprocess
subprocess.run(["/usr/sbin/useradd", "researcher1"], check=True)
a = directory("a")
told["names"], told["foreign"] = accounts.ensure(a)
told["group"] = grp.getgrnam(accounts.GROUP).gr_mem
accounts.release(a)
told["after"] = there()
""",
    )
    assert told["foreign"] == ["researcher1"]
    assert "researcher1" not in told["names"] + told["group"]
    assert told["after"] == ["researcher1"]


def test_a_hub_account_of_somebody_else_is_refused(tmp_path: Path) -> None:
    """The sudoers line names it, so it must be ours."""
    told = _run(
        tmp_path,
        """
import subprocess
subprocess.run(["/usr/sbin/useradd", "--system", "skiva-hub"], check=True)
try:
    accounts.ensure(directory("a"))
except CannotStart as problem:
    told["said"] = str(problem)
""",
    )
    assert told["said"].startswith("skiva-hub is there already and was not made by skiva")
