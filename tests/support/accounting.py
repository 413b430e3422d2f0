"""A Slurm with accounting, as a site has it: slurmdbd on a MariaDB, projects, limits, and a site's own words.

What starts Slurm here is what starts an embedded cluster; only what a site has besides is written here.
"""

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from tests.support.ports import free_port
from tests.support.waiting import wait_until

from skiva_hub.embedded import accounts, assemble, cgroups, parts, plan, prepare, view
from skiva_hub.embedded.accounts import Accounts
from skiva_hub.embedded.files import directory, write
from skiva_hub.embedded.layout import Layout, Owners, SlicePlan
from skiva_hub.embedded.parts import Part
from skiva_hub.embedded.slurm_files import slurm_conf

__all__ = ["LONG_WORDS", "LUA_WORDS", "SlurmSite", "slurm_site"]

LUA_WORDS = "Please name your project with --account (see https://hpc.example.org/projects)."
"""What the site's submit plugin says to who names none."""
LONG_WORDS = "Jobs of more than 7 hours start after a word with us (see https://hpc.example.org/long)."
"""What it says to who asks for more."""

_PARTITIONS = {"gpu": "", "cpu": "", "teaching": " AllowAccounts=physics"}
_LUA = f"""\
function slurm_job_submit(job, partitions, uid)
    if job.account == nil then
        slurm.log_user("{LUA_WORDS}")
        return slurm.ERROR
    end
    if job.time_limit ~= slurm.NO_VAL and job.time_limit > 420 then
        slurm.log_user("{LONG_WORDS}")
        return slurm.ERROR
    end
    return slurm.SUCCESS
end

function slurm_job_modify(job, record, partitions, uid)
    return slurm.SUCCESS
end
"""
_PROJECTS = (
    "add qos gpu1 MaxTRESPerUser=gres/gpu=1 Flags=DenyOnLimit",
    "add qos tiny GrpTRESMins=cpu=1 Flags=DenyOnLimit,NoDecay",
    "add account physics,chem QOS=normal,gpu1,tiny",
    "add user {0} Account=physics,chem DefaultAccount=physics",
    "add user {1} Account=chem",
    "add user {3} Account=physics",
)
"""researcher1 in two projects, researcher2 and instructor1 in one each, researcher3 in none."""


@dataclass
class SlurmSite:
    """A Slurm with accounting that runs until `stop`.

    Attributes:
        layout: its nodes, ports and directories.
        env: what a shell needs to talk to it.
        accounts: who there is; `people` are researcher1, 2, 3 and instructor1.
    """

    layout: Layout
    accounts: Accounts
    env: dict[str, str]
    _database_port: int
    _running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def conf(self) -> Path:
        """slurm.conf."""
        return self.layout.conf

    @property
    def people(self) -> tuple[str, ...]:
        """researcher1, researcher2, researcher3 and instructor1, as they are called here."""
        return self.accounts.people

    # -- commands --------------------------------------------------------------------------

    def run(self, *argv: str, stdin: str = "") -> str:
        """What a command prints that root runs, and that must not fail."""
        done = subprocess.run(
            argv, input=stdin, env=self.env, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, f"{argv}: {done.stdout}{done.stderr}"
        return done.stdout

    def as_person(self, name: str, *argv: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run a command as one of the people, in their home."""
        entry = pwd.getpwnam(name)
        return subprocess.run(
            argv,
            input=stdin,
            env={**self.env, "HOME": entry.pw_dir, "USER": name, "LANG": "C.UTF-8"},
            cwd=entry.pw_dir,
            user=entry.pw_uid,
            group=entry.pw_gid,
            extra_groups=os.getgrouplist(name, entry.pw_gid),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def sacctmgr(self, line: str) -> str:
        """Change accounting without being asked back."""
        return self.run("/usr/bin/sacctmgr", "--immediate", *line.split())

    def make_operator(self, name: str) -> None:
        """Give an account that is there the right to see and change everybody's jobs, if it lacks that."""
        command = ["/usr/bin/sacctmgr", "--immediate", *f"modify user {name} set AdminLevel=Operator".split()]
        subprocess.run(command, env=self.env, capture_output=True, timeout=60, check=False)
        assert f"{name}|Operator" in self.run("/usr/bin/sacctmgr", "-nP", "show", "user", "format=user,admin")

    # -- programs --------------------------------------------------------------------------

    @contextmanager
    def without(self, name: str) -> Iterator[None]:
        """Take a program, such as `slurmdbd`, down for a while."""
        self._end(name)
        try:
            yield
        finally:
            self._start(self._part(name))
            self._wait(name)

    def stop(self) -> None:
        """End everything, and remove what it wrote."""
        for name in reversed(list(self._running)):
            if name == "slurmctld":
                self._cancel_all()
            self._end(name)
        assert cgroups.clear(self.layout.id) == []
        accounts.release(self.layout.dir)
        shutil.rmtree(self.layout.dir)

    def _cancel_all(self) -> None:
        for name in self.people:
            cancel = ["/usr/bin/scancel", f"--user={name}"]
            subprocess.run(cancel, env=self.env, capture_output=True, timeout=60, check=False)

    def start(self, private: str, conf: Sequence[str]) -> None:
        """Start one program after the other, each when those before it answer."""
        here = self.layout
        prepare.slurm(here)
        self._write(private, conf)
        self._begin("munge")
        self._make_database()
        for name in ("mariadbd", "slurmdbd"):
            self._begin(name)
        self.sacctmgr(f"add cluster skiva_{here.id}")
        for name in ("slurmctld", *(node.label for node in here.nodes)):
            self._begin(name)
        for line in _PROJECTS:
            self.sacctmgr(line.format(*self.people))
        wait_until(self._takes_jobs, 30, "jobs are taken")

    def _begin(self, name: str) -> None:
        self._start(self._part(name))
        self._wait(name)

    def _start(self, part: Part) -> None:
        account: dict[str, Any] = {}
        if part.user != "root":
            account = {"user": part.user, "group": part.user, "extra_groups": []}
        with (self.layout.log / f"{part.name}.log").open("ab") as log:
            self._running[part.name] = subprocess.Popen(
                part.argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=part.cwd,
                env=dict(part.env),
                start_new_session=True,
                **account,
            )

    def _end(self, name: str) -> None:
        process = self._running.pop(name)
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _wait(self, name: str) -> None:
        conditions: dict[str, Callable[[], bool]] = {
            "munge": lambda: self._answers("/usr/bin/munge", "-n", f"--socket={self.layout.munge_socket}"),
            "mariadbd": lambda: self._answers("/usr/bin/mariadb-admin", "ping", f"--socket={self._socket}"),
            "slurmdbd": lambda: self._answers("/usr/bin/sacctmgr", "-n", "show", "user"),
            "slurmctld": lambda: "gres|gpu" in self._said("/usr/bin/sacctmgr", "-nP", "show", "tres"),
        }
        condition = conditions.get(name, lambda: self._is_idle(name))
        wait_until(lambda: self._lives(name) and condition(), 60, lambda: f"{name}: {self._last_words(name)}")

    def _lives(self, name: str) -> bool:
        assert self._running[name].poll() is None, self._last_words(name)
        return True

    def _last_words(self, name: str) -> str:
        return (self.layout.log / f"{name}.log").read_text(errors="replace")[-2000:]

    def _said(self, *argv: str) -> str:
        done = subprocess.run(
            argv,
            env=self.env,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=60,
            check=False,
        )
        return done.stdout if done.returncode == 0 else ""

    def _answers(self, *argv: str) -> bool:
        return bool(self._said(*argv))

    def _is_idle(self, label: str) -> bool:
        node = next(node.name for node in self.layout.nodes if node.label == label)
        return self._said("/usr/bin/sinfo", "-hn", node, "-o", "%T").strip() in {"idle", "mixed"}

    def _takes_jobs(self) -> bool:
        command = ("/usr/bin/sbatch", "--test-only", "--account=physics", "--partition=teaching")
        return self.as_person(self.people[0], *command, stdin="#!/bin/sh\n").returncode == 0

    # -- files -----------------------------------------------------------------------------

    @property
    def _socket(self) -> Path:
        return self.layout.dir / "mariadb" / "socket"

    def _write(self, private: str, conf: Sequence[str]) -> None:
        here = self.layout
        added = [
            "AccountingStorageType=accounting_storage/slurmdbd",
            "AccountingStorageHost=127.0.0.1",
            f"AccountingStoragePort={self._database_port}",
            f"AccountingStoragePass={here.munge_socket}",
            "AccountingStorageEnforce=associations,limits,qos,safe",
            "AccountingStorageTRES=gres/gpu",
            "JobSubmitPlugins=lua",
            *([f"PrivateData={private}"] if private else []),
            *conf,
        ]
        text = slurm_conf(here).replace("PriorityType=priority/basic", "PriorityType=priority/multifactor")
        lines = [
            line
            + next((a for name, a in _PARTITIONS.items() if line.startswith(f"PartitionName={name} ")), "")
            + next((f" Feature={n.label}" for n in here.nodes if line.startswith(f"NodeName={n.name} ")), "")
            for line in [*text.splitlines(), *added]
        ]
        write(here.conf, "\n".join(lines) + "\n")
        write(here.slurm / "job_submit.lua", _LUA)
        write(here.slurm / "slurmdbd.conf", self._slurmdbd_conf(), mode=0o600, owner=here.owners.slurm)

    def _slurmdbd_conf(self) -> str:
        here = self.layout
        return (
            "DbdHost=localhost\n"
            "DbdAddr=127.0.0.1\n"
            f"DbdPort={self._database_port}\n"
            "CommunicationParameters=NoInAddrAny\n"
            f"SlurmUser={here.owners.slurm}\n"
            "AuthType=auth/munge\n"
            f"AuthInfo=socket={here.munge_socket}\n"
            f"PidFile={here.slurm}/state/slurmdbd.pid\n"
            "StorageType=accounting_storage/mysql\n"
            "StorageHost=localhost\n"
            f"StorageUser={here.owners.slurm}\n"
            "StorageLoc=slurm_acct_db\n"
        )

    def _make_database(self) -> None:
        directory(self._socket.parent, owner="mysql")
        self.run(
            "/usr/bin/mariadb-install-db",
            "--no-defaults",
            "--user=mysql",
            f"--datadir={self._socket.parent}/data",
            "--auth-root-authentication-method=socket",
            "--skip-test-db",
        )
        user = self.layout.owners.slurm
        write(
            self._socket.with_name("init.sql"),
            "CREATE DATABASE IF NOT EXISTS slurm_acct_db;\n"
            f"CREATE USER IF NOT EXISTS {user}@localhost IDENTIFIED VIA unix_socket;\n"
            f"GRANT ALL ON slurm_acct_db.* TO {user}@localhost;\n",
        )

    def _part(self, name: str) -> Part:
        here = self.layout
        slurm = {part.name: part for part in parts.cluster(here)}
        if name in slurm:
            return slurm[name]
        if name == "mariadbd":
            return self._mariadbd()
        account = ("/usr/bin/setpriv", f"--reuid={here.owners.slurm}", f"--regid={here.owners.slurm}")
        return Part(
            name,
            (*_LOCALHOST, *account, "--clear-groups", "--", "/usr/sbin/slurmdbd", "-D"),
            "root",
            {**self.env, "MYSQL_UNIX_PORT": str(self._socket)},
            here.slurm,
        )

    def _mariadbd(self) -> Part:
        argv = (
            "/usr/sbin/mariadbd",
            "--no-defaults",
            f"--datadir={self._socket.parent}/data",
            f"--socket={self._socket}",
            f"--pid-file={self._socket.parent}/pid",
            f"--init-file={self._socket.parent}/init.sql",
            "--skip-networking",
            # What slurmdbd asks for.
            "--innodb-buffer-pool-size=256M",
            "--innodb-lock-wait-timeout=900",
            "--innodb-flush-log-at-trx-commit=0",
            "--innodb-fast-shutdown=2",
        )
        return Part("mariadbd", argv, "mysql", {"PATH": "/usr/bin:/bin"}, self._socket.parent)


_LOCALHOST = (*view.unshare(root=True), "--", sys.executable, "-I", view.__file__, "localhost", "", "--")
"""slurmdbd runs on the host that its configuration names, and nowhere else."""


@contextmanager
def slurm_site(
    *, private: str = "jobs,usage", conf: Sequence[str] = (), operator: bool = True
) -> Iterator[SlurmSite]:
    """A site's Slurm in a directory of its own.

    Args:
        private: `PrivateData` in slurm.conf.
        conf: further lines of slurm.conf.
        operator: whether the hub's account is there, and is an operator.
    """
    if os.geteuid() != 0:
        pytest.skip("only root can become another account")
    here = Path(tempfile.mkdtemp(prefix="skiva-accounting-", dir="/var/tmp"))
    here.chmod(0o755)
    (here / "ports.json").write_text("{}")  # by which its accounts are known to be somebody's
    people = accounts.claim(here)
    accounts.make(people)
    site = SlurmSite(
        _layout(here, people),
        people,
        {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "SLURM_CONF": str(here / "slurm" / "slurm.conf")},
        free_port(),
    )
    with ExitStack() as ending:
        ending.callback(site.stop)
        site.start(private, conf)
        if operator:
            site.sacctmgr(f"add user {people.hub} Account=root AdminLevel=Operator")
        else:
            site.run("/usr/sbin/userdel", people.hub)
        yield site


def _layout(here: Path, people: Accounts) -> Layout:
    """Two nodes, with seven MIG instances and two GPUs, in all partitions of a site."""
    made = plan.simulated(
        here,
        Owners("slurm", "root", "munge", people.hub),
        ports=[free_port() for _ in range(1 + len(plan.SIMULATED_NODES))],
        hub_port=0,
        fenced=cgroups.can_fence(),
    )
    version = subprocess.run(["/usr/sbin/slurmctld", "-V"], capture_output=True, text=True, check=True).stdout
    return replace(
        made,
        nodes=tuple(
            replace(node, partitions=tuple(_PARTITIONS))
            for node in made.nodes
            if node.label in {"mig", "gpu1"}
        ),
        slices=tuple(SlicePlan(name, name, "", name, None, 1, 1024) for name in _PARTITIONS),
        slurm_version=assemble.slurm_version(version),
        host_name=view.host_name(root=True),
    )
