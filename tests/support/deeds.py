"""What people, operators and bad luck do to a breakable cluster's sessions, one deed at a time."""

import os
import random
import shutil
import signal
import sqlite3
from collections.abc import Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import httpx
from tests.support.faults import Faults
from tests.support.hub import HubRefused
from tests.support.invariants import live_jobs
from tests.support.kernel import run_code
from tests.support.waiting import wait_until

__all__ = ["Deeds", "Place"]

Place = tuple[str, str]
"""A person and the name of one of their servers."""


class Deeds:
    """Each tells whether it was done; what a hub that is down or a start that is under way refuses is not.

    Args:
        wishes: what is asked for at each place.
    """

    def __init__(self, faults: Faults, wishes: Mapping[Place, Mapping[str, Any]]) -> None:
        self._faults = faults
        self.wishes = wishes

    # -- people ----------------------------------------------------------------------------

    def start(self, place: Place) -> bool:
        """Press Start."""
        with suppress(httpx.HTTPError, HubRefused):
            self._faults.client.start_server(place[0], self.wishes[place], place[1])
            return True
        return False

    def cancel(self, place: Place) -> bool:
        """Press Stop or Cancel."""
        with suppress(httpx.HTTPError, HubRefused):
            self._faults.client.stop_server(*place)
            return True
        return False

    def scancel(self, user: str, dice: random.Random) -> bool:
        """End one of one's own sessions in Slurm."""
        mine = [job.id for job in live_jobs(self._faults.cluster) if job.user == user]
        if not mine:
            return False
        argv = ["/usr/bin/scancel", str(dice.choice(mine))]
        return bool(self._faults.cluster.run_as(user, argv).returncode == 0)

    def extend(self, place: Place) -> bool:
        """Press Extend in a session."""
        row = self._faults.owner(*place)
        if row is None or not row.session:
            return False
        headers = {"Authorization": f"token {row.session['api_token']}"}
        address = f"{self._faults.cluster.url}/hub/api/skiva/extend"
        with suppress(httpx.HTTPError):
            asked = httpx.post(address, headers=headers, json={}, timeout=30, trust_env=False)
            return asked.status_code == 200
        return False

    def cell(self, place: Place) -> bool:
        """Run a cell; a light server, which has no kernels, says hello instead."""
        user, name = place
        if self.wishes[place].get("environment") == "light":
            return self._faults.says_hello(user, name)
        path = f"user/{user}/{name}/" if name else f"user/{user}/"
        with suppress(httpx.HTTPError, HubRefused, OSError, TimeoutError):
            token = self._faults.client.user_token(user)
            address = f"{self._faults.cluster.url}/{path}"
            return run_code(address, token, "print(6 * 7)", seconds=20) == "42\n"
        return False

    # -- Slurm -----------------------------------------------------------------------------

    def requeue(self, place: Place) -> bool:
        """Let Slurm put a session that runs back into the queue."""
        row = self._faults.owner(*place)
        known = row.session.get("job_id") if row else None
        if not known or self._faults.cluster.job_state(int(known)) != "RUNNING":
            return False
        done = self._faults.cluster.run_as("root", ["/usr/bin/scontrol", "requeue", str(known)])
        if done.returncode == 0:
            with suppress(AssertionError):  # it was cancelled meanwhile
                self._faults.hasten(int(known))
        return bool(done.returncode == 0)

    def freeze_slurm(self, seconds: float) -> bool:
        """Let slurmctld answer nobody for a while."""
        with self._faults.frozen("slurmctld"):
            _pass(seconds)
        return True

    # -- the hub's machine -----------------------------------------------------------------

    def kill_hub(self) -> bool:
        """SIGKILL, and start it again."""
        self._faults.hub.restart()
        return True

    def kill_proxy(self) -> bool:
        """SIGKILL; the supervisor starts it again."""
        before = self._faults.cluster.status()["processes"]["proxy"]["pid"]
        os.kill(before, signal.SIGKILL)
        wait_until(lambda: self._proxy_is_not(before), 60, "another proxy runs")
        wait_until(self._faults.client.is_up, 60, "the hub answers through it")
        return True

    def _proxy_is_not(self, pid: int) -> bool:
        told = self._faults.cluster.status()["processes"]["proxy"]
        return bool(told["alive"] and told["pid"] != pid)

    def lock_database(self, seconds: float) -> bool:
        """Keep the hub from its database for a while."""
        with closing(sqlite3.connect(self._database, timeout=10, isolation_level=None)) as held:
            held.execute("begin exclusive")
            _pass(seconds)
            held.execute("rollback")
        return True

    def back_up(self, copy: Path) -> bool:
        """Copy the database while the hub uses it."""
        copy.unlink(missing_ok=True)
        with closing(sqlite3.connect(self._database)) as now, closing(sqlite3.connect(copy)) as then:
            now.backup(then)
        return True

    def restore(self, copy: Path) -> bool:
        """Give the hub the database of an earlier moment."""
        if not copy.exists():
            return False
        self._faults.hub.kill()
        for rest in self._database.parent.glob(f"{self._database.name}-*"):
            rest.unlink()
        owner = self._database.stat()
        shutil.copyfile(copy, self._database)
        os.chown(self._database, owner.st_uid, owner.st_gid)
        self._faults.hub.start()
        return True

    @property
    def _database(self) -> Path:
        return self._faults.hub.state_dir / "jupyterhub.sqlite"


def _pass(seconds: float) -> None:
    """Let time pass, which is all that happens meanwhile."""
    with suppress(AssertionError):
        wait_until(lambda: False, seconds)
