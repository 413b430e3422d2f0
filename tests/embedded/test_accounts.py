"""The demonstration accounts, made and removed by the real tools on a private copy of /etc."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can make accounts")

# A mount namespace of its own, with its own /etc and /home, from which our accounts are struck.
_PRIVATE = """
set -e
mount -t tmpfs none "$1"
cp -a /etc "$1/etc"
for file in passwd shadow group gshadow subuid subgid; do
    grep -vE '^(researcher[0-9]|instructor1|skiva-)|^skiva-users' "/etc/$file" >"$1/etc/$file" || :
    sed -i -E 's/(:|,)(researcher[0-9]|instructor1)//g' "$1/etc/$file"
done
rm -f "$1"/etc/skiva-accounts.*
mount --bind "$1/etc" /etc
mount -t tmpfs none /home
shift
exec "$@"
"""

_BODY = """
import grp, json, pwd, sys
from pathlib import Path
from skiva_hub.embedded import accounts
from skiva_hub.embedded.errors import CannotStart

PEOPLE = ("researcher1", "researcher2", "researcher3", "instructor1")

def there():
    return sorted(e.pw_name for e in pwd.getpwall() if e.pw_name.startswith(("skiva-hub", *PEOPLE)))

def made(directory):
    found = accounts.claim(directory)
    accounts.make(found)
    return found

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


PEOPLE = ["researcher1", "researcher2", "researcher3", "instructor1"]


def test_each_cluster_has_accounts_of_its_own(tmp_path: Path) -> None:
    """The first has plain names, the next the same with its id; a purge takes a cluster's own along."""
    told = _run(
        tmp_path,
        """
a, b = directory("a"), directory("b")
first, second = made(a), made(b)
told["again"] = [accounts.claim(a).suffix, accounts.claim(b).suffix]
told["suffix"] = second.suffix
told["groups"] = [grp.getgrnam(one.group).gr_mem for one in (first, second)]
told["home"] = oct(Path("/home/researcher1").stat().st_mode & 0o777)
told["locked"] = [line.split(":")[1][:1] for line in open("/etc/shadow") if line.startswith("researcher1")]
told["removed"], told["between"] = sorted(accounts.release(a)), there()
accounts.release(b)
told["after"] = there()
told["homes"] = sorted(p.name for p in Path("/home").iterdir())
told["left"] = [p.name for p in Path("/etc").glob("skiva-accounts.json")]
told["groups_left"] = [g.gr_name for g in grp.getgrall() if g.gr_name.startswith("skiva-")]
""",
    )
    suffix = told["suffix"]
    assert re.fullmatch("-[0-9a-f]{6}", suffix)
    assert told["again"] == ["", suffix]
    assert told["groups"] == [PEOPLE, [f"{name}{suffix}" for name in PEOPLE]]
    assert (told["home"], told["locked"]) == ("0o700", ["!", "!"])
    assert told["removed"] == sorted(["skiva-hub", *PEOPLE])
    assert told["between"] == sorted(f"{name}{suffix}" for name in ["skiva-hub", *PEOPLE])
    assert (told["after"], told["homes"], told["left"], told["groups_left"]) == ([], [], [], [])


def test_two_that_start_at_once_have_different_accounts(tmp_path: Path) -> None:
    """Which directory has the plain names is settled before any account is made."""
    told = _run(
        tmp_path,
        """
from concurrent.futures import ProcessPoolExecutor
places = [directory(f"d{n}") for n in range(6)]
with ProcessPoolExecutor(6) as pool:
    told["suffixes"] = [found.suffix for found in pool.map(accounts.claim, places)]
""",
    )
    assert len(set(told["suffixes"])) == 6
    assert told["suffixes"].count("") == 1


def test_a_directory_that_is_gone_keeps_no_account(tmp_path: Path) -> None:
    """After a directory was removed by hand the next has the plain names, and a purge takes what is left."""
    told = _run(
        tmp_path,
        """
a, b, c = directory("a"), directory("b"), directory("c")
made(a), made(b)
for gone in (a, b):
    (gone / "ports.json").unlink()
told["next"] = made(c).suffix
accounts.release(c)
told["after"] = there()
""",
    )
    assert (told["next"], told["after"]) == ("", [])


@pytest.mark.parametrize("taken", ["researcher1", "skiva-hub"])
def test_an_account_that_was_there_is_left_alone(tmp_path: Path, taken: str) -> None:
    """Somebody who has one of the names is not acted for and keeps the account; the cluster has others."""
    told = _run(
        tmp_path,
        f"""
import subprocess
subprocess.run(["/usr/sbin/useradd", "{taken}"], check=True)
a = directory("a")
told["names"] = [made(a).hub, *made(a).people]
told["members"] = grp.getgrnam(made(a).group).gr_mem
accounts.release(a)
told["after"] = there()
""",
    )
    assert taken not in told["names"] + told["members"]
    assert len(told["members"]) == len(PEOPLE)
    assert told["after"] == [taken]


def test_accounts_of_somebody_else_are_never_used(tmp_path: Path) -> None:
    """Where both sets of names are somebody's, the sentence says whose names are in the way."""
    told = _run(
        tmp_path,
        """
import subprocess
from skiva_hub.embedded.layout import cluster_id
a = directory("a")
for name in ("researcher2", f"skiva-hub-{cluster_id(a)}"):
    subprocess.run(["/usr/sbin/useradd", "--system", name], check=True)
try:
    accounts.claim(a)
except CannotStart as problem:
    told["said"] = str(problem)
""",
    )
    assert "are there already and were not made by skiva" in told["said"]
