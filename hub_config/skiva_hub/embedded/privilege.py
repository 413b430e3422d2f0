"""The one thing that acts as a user: a helper and, for a cluster of root's, one sudoers line."""

import json
import subprocess
from importlib.util import find_spec
from pathlib import Path

from skiva_hub.embedded.errors import CannotStart
from skiva_hub.embedded.files import directory, write
from skiva_hub.embedded.layout import Layout

_SUDOERS = Path("/etc/sudoers.d")
RUN_DIRS = ".local/state/skiva/servers"


def helper(layout: Layout) -> Path:
    """The helper's path."""
    return layout.dir / "libexec" / "skiva-act"


def helper_command(layout: Layout) -> tuple[str, ...]:
    """What the hub runs to act as `{user}`; without root the hub runs as its one user."""
    if not layout.owners.root:
        return (str(helper(layout)),)
    return ("/usr/bin/sudo", "-n", "-H", "-u", "{user}", "--", str(helper(layout)))


def sudoers(layout: Layout) -> str:
    """The sudoers file: the hub's account may run the helper as one of the people or as Slurm."""
    command = helper(layout)
    return (
        f"# Written by skiva for {layout.dir}; removed when that cluster ends.\n"
        f"Defaults!{command} !requiretty, !lecture, !use_pty, !pam_session, env_reset\n"
        f"{layout.owners.hub} ALL=(%{layout.owners.people},{layout.owners.slurm}) NOPASSWD: {command}\n"
    )


def act_config(layout: Layout) -> str:
    """What the helper is told: where Slurm is, and below which directory of a home servers live."""
    told = {
        "bin": str(layout.bin),
        # Sessions call Slurm's commands by name, too.
        "env": {"SLURM_CONF": str(layout.conf), "PATH": _path(layout)},
        "run_dirs": RUN_DIRS,
        "operators": [layout.owners.slurm] if layout.owners.root else [],
    }
    return json.dumps(told, indent=1) + "\n"


def _path(layout: Layout) -> str:
    usual = "/usr/local/bin:/usr/bin:/bin"
    return usual if str(layout.bin) in usual.split(":") else f"{layout.bin}:{usual}"


def install(layout: Layout) -> None:
    """Put the helper, its configuration and, as root, the sudoers file in place; all belong to this account.

    Raises:
        CannotStart: sudo does not accept the file.
    """
    directory(layout.dir / "libexec")
    directory(layout.dir / "etc")
    write(layout.dir / "etc" / "act.json", act_config(layout))
    write(helper(layout), _program(), mode=0o755)
    if layout.owners.root:
        _allow(layout)


def _allow(layout: Layout) -> None:
    # sudo reads no file whose name has a dot, so it never sees the draft.
    draft = _SUDOERS / f"skiva-{layout.id}.draft"
    write(draft, sudoers(layout), mode=0o440)
    checked = subprocess.run(
        ["/usr/sbin/visudo", "-c", "-q", "-f", str(draft)], capture_output=True, text=True, check=False
    )
    if checked.returncode:
        draft.unlink()
        raise CannotStart(f"sudo does not accept the line for the helper: {checked.stderr.strip()}")
    draft.rename(_SUDOERS / f"skiva-{layout.id}")


def _program() -> bytes:
    """The helper's text, found without importing its package, which brings the whole hub along."""
    found = find_spec("skiva_spawners")
    if found is None or not found.submodule_search_locations:
        raise CannotStart("The package skiva_spawners is not installed beside skiva_hub; install skiva[hub].")
    return (Path(found.submodule_search_locations[0]) / "act.py").read_bytes()


def withdraw(cluster_id: str) -> None:
    """Take the sudoers file away."""
    (_SUDOERS / f"skiva-{cluster_id}").unlink(missing_ok=True)
