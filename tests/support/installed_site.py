"""A site with accounting on which Skiva was installed as the operators' manual says, line by line."""

import json
import os
import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.accounting import SlurmSite, slurm_site
from tests.support.hub import HubClient, HubRefused
from tests.support.manual import block, commands
from tests.support.own_machine import own_machine
from tests.support.units import Unit
from tests.support.waiting import wait_until

__all__ = ["TOKEN_LINES", "InstalledSite", "installed_site", "type_lines"]

_INSTALL, _RUN = "operators/install.md", "operators/run.md"
_URL, _TOKEN = "http://127.0.0.1:8000", "of-tests-on-loopback-alone"
_SITE, _WITH_REFUSED = Path("/etc/skiva/site.toml"), Path("/etc/skiva/site-with-refused.toml")
_SCOPES = ["admin:users", "admin:servers", "tokens", "access:servers", "read:hub"]
TOKEN_LINES = f"""\
c.JupyterHub.services.append({{"name": "tests", "api_token": {_TOKEN!r}, "display": False}})
c.JupyterHub.load_roles.append({{"name": "tests", "services": ["tests"], "scopes": {_SCOPES}}})
"""
"""Let the tests ask a hub as an administrator."""
_SLICES = """\
[[slice]]
id = "cpu"
title = "Cores only"
partition = "cpu"
isolation = "none"
cores = 1
memory_mb = 1024
account = "physics"

[[slice]]
id = "1g.10gb"
title = "A seventh of a GPU"
partition = "gpu"
gres = "gpu:1g.10gb:1"
cores = 1
memory_mb = 1024
account = "physics"

[[slice]]
id = "h100"
title = "One GPU"
partition = "teaching"
gres = "gpu:h100:1"
cores = 1
memory_mb = 1024
account = "physics"
qos = "gpu1"
"""
_REFUSED = """
[[slice]]
id = "no-project"
title = "Without a project"
partition = "cpu"
isolation = "none"
cores = 1
memory_mb = 1024

[[slice]]
id = "budget"
title = "Of a budget that is used up"
partition = "cpu"
isolation = "none"
cores = 1
memory_mb = 1024
account = "physics"
qos = "tiny"

[[slice]]
id = "course"
title = "While the course meets"
partition = "cpu"
isolation = "none"
cores = 1
memory_mb = 1024
account = "physics"
reservation = "course"
"""


@dataclass(frozen=True)
class InstalledSite:
    """A site whose hub runs.

    Attributes:
        slurm: its Slurm.
        hub: with the administrators' token.
        log: of the hub.
        units: by their names.
    """

    slurm: SlurmSite
    hub: HubClient
    log: Path
    units: Mapping[str, Unit]
    url: str = _URL
    token: str = _TOKEN

    def type_lines(self, lines: Iterable[str]) -> None:
        """Type lines as root, of which some start and stop units."""
        for line in lines:
            if not line.startswith("systemctl "):
                type_lines([line])
                continue
            _, action, *names = line.split()
            for name in names:
                getattr(self.units[name], action)()
            if action == "start":
                wait_until(self.hub.is_up, 60, lambda: self.log.read_text()[-3000:])

    def doctor(self, *options: str, user: str = "", site: str = "") -> dict[str, Any]:
        """What the manual's call of the doctor finds, as root.

        Args:
            user: whose jobs are tried; by default researcher1's.
            site: the site file's text, where it is another.
        """
        [line] = commands(_INSTALL, "7. The doctor")
        assert "--user alice" in line
        words = line.replace("alice", user or self.slurm.people[0]).split()
        if site:
            _draft = _SITE.with_name("draft.toml")
            _draft.write_text(site)
            words[words.index("--site") + 1] = str(_draft)
        done = subprocess.run(
            [*words, "--json", *options], env=_ENV, capture_output=True, text=True, timeout=150, check=False
        )
        assert done.stdout, done.stderr
        told: dict[str, Any] = json.loads(done.stdout)
        assert done.returncode == (1 if told["errors"] else 0)
        return told

    @property
    def site_file(self) -> str:
        """The site file's text."""
        return _SITE.read_text()

    def why_not(self, user: str, options: dict[str, Any]) -> str:
        """What a person is told whose session does not start."""
        try:
            self.hub.start_server(user, options)
            told = [str(event) for event in self.hub.progress(user, seconds=90) if event.get("failed")]
        except HubRefused as refused:
            return refused.message
        assert told, "the session has started"
        return told[-1]

    def close(self, user: str, name: str = "") -> None:
        """End a session and wait until it is gone."""
        self.hub.stop_server(user, name)
        self.hub.wait_stopped(user, 60, name)


_ENV = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}


@contextmanager
def installed_site() -> Iterator[InstalledSite]:
    """A Slurm, and a hub on it, on a machine of their own."""
    with ExitStack() as ending:
        ending.enter_context(own_machine())
        _environments()  # before there are nodes, which see no mount that comes later
        slurm = ending.enter_context(slurm_site(operator=False))
        Path("/etc/slurm").mkdir(exist_ok=True)
        Path("/etc/slurm/slurm.conf").symlink_to(slurm.conf)
        type_lines(commands(_INSTALL, "2. The hub's accounts"))
        _helper()
        _epilog(slurm)
        _site_files(slurm)
        _configuration()
        log = slurm.layout.log / "hub.log"
        units = {name: Unit(name, log) for name in ("skiva-proxy", "skiva-hub")}
        for unit in units.values():
            ending.callback(unit.stop)
            unit.start()
        hub = ending.enter_context(HubClient(_URL, _TOKEN))
        wait_until(lambda: hub.is_up() or not unit.alive(), 60, lambda: log.read_text()[-3000:])
        assert unit.alive(), log.read_text()[-3000:]
        yield InstalledSite(slurm, hub, log, units)


def type_lines(lines: list[str]) -> None:
    """Type lines into a shell of root's, and answer yes to who asks."""
    shell = ["/bin/sh", "-euc", "\n".join(lines)]
    done = subprocess.run(
        shell,
        input="y\n" * len(lines),
        env=_ENV,
        cwd="/",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, f"{shell[-1]}\n{done.stdout}{done.stderr}"


def _environments() -> None:
    """Put those that the tests have installed where the manual makes them, without installing them again."""
    lines = commands(_INSTALL, "1. Two environments")
    made = [line.split()[-1] for line in lines if line.startswith("python3 -m venv ")]
    assert len(made) == 2, lines
    for path in map(Path, made):
        path.mkdir(parents=True)
        installed = Path(os.environ["SKIVA_TEST_DIR"]) / "venv" / path.name
        subprocess.run(["/usr/bin/mount", "--bind", str(installed), str(path)], check=True)


def _helper() -> None:
    heading = "3. The helper"
    type_lines(commands(_INSTALL, heading))
    [users] = set(re.findall(r"`\((%skiva-users,slurm-extend)\)`", _page()))
    sudoers = Path("/etc/sudoers.d/skiva")
    text = sudoers.read_text()
    assert "(%skiva-users)" in text
    sudoers.write_text(text.replace("(%skiva-users)", f"({users})"))


def _page() -> str:
    return (Path(__file__).parents[2] / "docs" / _INSTALL).read_text()


def _epilog(slurm: SlurmSite) -> None:
    """Set Slurm's epilog in its configuration."""
    said = block(_INSTALL, "3. The helper", "").splitlines()
    [line] = [line for line in said if not line.startswith("#")]
    kept = [line for line in slurm.conf.read_text().splitlines() if not line.startswith("Epilog=")]
    slurm.conf.write_text("\n".join([*kept, line]) + "\n")
    slurm.run("/usr/bin/scontrol", "reconfigure")


def _site_files(slurm: SlurmSite) -> None:
    """Write the site file, and that of the hub, which has slices besides that are refused."""
    here, fenced = slurm.layout, slurm.layout.fenced
    slices = _SLICES if fenced else _SLICES.replace("gres =", 'isolation = "none"\ngres =')
    helper = ["/usr/bin/sudo", "-n", "-H", "-u", "{user}", "--", "/usr/local/lib/skiva/libexec/skiva-act"]
    text = f"""\
[hub]
api_url = "{_URL}/hub/api"
helper = {json.dumps(helper)}

[cluster]
conf = "/etc/slurm/slurm.conf"
devices = ["{here.device_dir}/*/skiva[0-9]*"]
fenced = {str(fenced).lower()}
idle_interval = 2

[hours]
default = 2
max = 8
extend_by = 1
extend_as = "slurm-extend"

[limits]
servers = 3

[[environment]]
id = "base"
title = "JupyterLab"
python = "/opt/skiva/base/bin/python"

[[partition]]
name = "cpu"

[[partition]]
name = "gpu"

[[partition]]
name = "teaching"

{slices}"""
    _SITE.parent.mkdir()
    _SITE.write_text(text)
    _WITH_REFUSED.write_text(text + _REFUSED)
    _SITE.with_name("environment").write_text(f"SKIVA_SITE={_WITH_REFUSED}\n")


def _configuration() -> None:
    """Install the hub's configuration and units, and add who may ask it."""
    Path("/etc/systemd/system").mkdir(parents=True, exist_ok=True)
    first = next(line for line in commands(_INSTALL, "3. The helper") if line.startswith("cd "))
    *lines, last = commands(_INSTALL, "6. Hub and proxy")
    assert last == "systemctl enable --now skiva-proxy skiva-hub"
    type_lines([first, *lines])
    type_lines(commands(_RUN, "Metrics"))
    config = _SITE.with_name("jupyterhub_config.py")
    config.write_text(f"{config.read_text()}\n{block(_RUN, 'Metrics', 'python')}\n{TOKEN_LINES}")
