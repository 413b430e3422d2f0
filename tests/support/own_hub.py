"""The cluster's hub in the hands of a test, which kills and starts it as it likes."""

import subprocess
from pathlib import Path
from typing import Any

from tests.support.hub import HubClient
from tests.support.waiting import wait_until

from skiva_hub.embedded.proc import Process, environment, kill, owner, parents

__all__ = ["OwnHub"]

_STAND_INS = Path(__file__).with_name("stand_ins")


class OwnHub:
    """Runs the hub of an embedded cluster as its supervisor does, but ends it only when told.

    Args:
        cluster: see `tests/conftest.py`; its supervisor lets go of the hub until `give_back`.
        client: with the administrators' token.
    """

    def __init__(self, cluster: Any, client: HubClient) -> None:
        self._cluster = cluster
        self._client = client
        self._hold = cluster.dir / "hold" / "hub"
        self._config = cluster.dir / "faults" / "hub_config.py"
        self._process: subprocess.Popen[bytes] | None = None
        self._argv: list[str] = []
        self._env: dict[str, str] = {}
        self.state_dir = Path(cluster.dir) / "hub"

    def take_over(self, below: str = "") -> None:
        """End the supervisor's hub and start this one, with lines `below` those of its configuration."""
        theirs = int(self._cluster.status()["processes"]["hub"]["pid"])
        self._argv = Path(f"/proc/{theirs}/cmdline").read_text().rstrip("\0").split("\0")
        self._env = environment(theirs)
        at = self._argv.index("-f") + 1
        self._env["SKIVA_TEST_CONFIG"] = self._argv[at]
        self._argv[at] = str(self._config)
        self._config.parent.mkdir(exist_ok=True)
        self._config.write_text(f"{(_STAND_INS / 'hub_config.py').read_text()}\n{below}")
        self._config.chmod(0o644)
        self._hold.parent.mkdir(exist_ok=True)
        self._hold.touch()
        kill([process for process in (Process.of(theirs),) if process])
        self._end_services()
        self.start()

    def give_back(self) -> None:
        """End this hub; the supervisor starts its own again."""
        self.kill()
        self._hold.unlink(missing_ok=True)
        wait_until(self._client.is_up, 60, "the supervisor's hub answers")

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process is not None and self._process.poll() is None

    def start(self, *, may_die: bool = False) -> None:
        """Start the hub and wait until it answers, or, if it `may_die`, until it has."""
        account = self.state_dir.owner()  # of a second site in this process it has a name of its own
        as_hub = ["/usr/bin/setpriv", f"--reuid={account}", f"--regid={account}", "--clear-groups"]
        with (self._cluster.dir / "log" / "hub.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*as_hub, "--pdeathsig=KILL", "--", *self._argv],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.state_dir,
                env=self._env,
                umask=0o077,
                start_new_session=True,
            )
        wait_until(lambda: self._client.is_up() or (may_die and not self.alive), 60, self._last_words)

    def kill(self) -> None:
        """SIGKILL, as when the machine runs out of memory; what the hub was doing as a user goes on."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._end_services()

    def restart(self) -> None:
        """`kill` and `start`."""
        self.kill()
        self.start()

    def bury(self) -> bool:
        """Whether the hub has died by itself; what it left running is ended."""
        if self.alive:
            return False
        self._end_services()
        return True

    def _end_services(self) -> None:
        """End what the hub ran as its own account, as systemd does; a helper that acts as a user goes on."""
        kill([process for pid in parents() if (process := Process.of(pid)) and self._is_ours(pid)])

    def _is_ours(self, pid: int) -> bool:
        try:
            program = Path(f"/proc/{pid}/cmdline").read_text().partition("\0")[0]
        except OSError:
            return False
        return program == self._argv[0] and owner(pid) == self.state_dir.owner()

    # -- death at an await -----------------------------------------------------------------

    def arm(self) -> None:
        """Let the hub die at the next await of a start at which it has not died yet."""
        (self.state_dir / "armed").touch()

    def disarm(self) -> None:
        """Let it live."""
        (self.state_dir / "armed").unlink(missing_ok=True)

    def deaths(self) -> list[str]:
        """Where it has died so far."""
        path = self.state_dir / "deaths"
        return path.read_text().splitlines() if path.exists() else []

    def forget_death(self, place: str) -> None:
        """Let it die once more at the first place that begins so."""
        places = self.deaths()
        again = next((known for known in places if known.startswith(place)), None)
        if again:
            left = [known for known in places if known != again]
            (self.state_dir / "deaths").write_text("".join(f"{known}\n" for known in left))

    def _last_words(self) -> str:
        log = self._cluster.dir / "log" / "hub.log"
        return "the hub answers\n" + "\n".join(log.read_text(errors="replace").splitlines()[-30:])
