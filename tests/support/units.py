"""Runs what a unit of systemd says, where there is no systemd."""

import os
import pwd
import re
import shlex
import shutil
import subprocess
from collections import defaultdict
from pathlib import Path

__all__ = ["Unit"]

_UNITS = Path("/etc/systemd/system")
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin"


class Unit:
    """One service, as its file in `/etc/systemd/system` describes it; what it prints goes to `log`."""

    def __init__(self, name: str, log: Path) -> None:
        self._settings = _settings(_UNITS / f"{name}.service")
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Run it in its directory, as its account, with its environment."""
        account = pwd.getpwnam(self._one("User"))
        state = Path("/var/lib") / self._one("StateDirectory")
        state.mkdir(exist_ok=True)
        state.chmod(int(self._one("StateDirectoryMode"), 8))
        shutil.chown(state, account.pw_uid, account.pw_gid)
        env = {"PATH": _PATH, "LANG": "C.UTF-8"} | self._environment()
        line = re.sub(r"\$\{(\w+)\}", lambda name: env[name[1]], self._one("ExecStart"))
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                shlex.split(line),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._one("WorkingDirectory"),
                env=env,
                user=account.pw_uid,
                group=account.pw_gid,
                extra_groups=os.getgrouplist(account.pw_name, account.pw_gid),
                umask=int(self._one("UMask"), 8),
                start_new_session=True,
            )

    def stop(self) -> None:
        """End it in good order, and all that it started."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(30)

    def alive(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.poll() is None

    def _one(self, name: str) -> str:
        return self._settings[name][-1]

    def _environment(self) -> dict[str, str]:
        lines = list(self._settings["Environment"])
        for name in self._settings["EnvironmentFile"]:
            path = Path(name.removeprefix("-"))
            if path.exists() or not name.startswith("-"):
                lines += path.read_text().splitlines()
        return dict(line.partition("=")[::2] for line in lines if line and not line.startswith("#"))


def _settings(path: Path) -> defaultdict[str, list[str]]:
    """The settings of its section [Service], each as often as it is there."""
    text = path.read_text().partition("[Service]\n")[2].partition("\n[")[0]
    found: defaultdict[str, list[str]] = defaultdict(list)
    for line in text.splitlines():
        name, is_setting, value = line.partition("=")
        if is_setting and not line.startswith("#"):
            found[name].append(value)
    return found
