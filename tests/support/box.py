"""Runs a command as on a machine of another name, with another /etc/hosts. Takes root."""

from pathlib import Path

__all__ = ["HOSTS", "on_box"]

_LOCALHOST = "127.0.0.1 localhost\n"
HOSTS = {
    "as Debian's installer writes it": f"{_LOCALHOST}127.0.1.1 box.example.org box\n",
    "an outer address": f"{_LOCALHOST}192.0.2.7 box\n",
    "nothing": "",
}
"""What /etc/hosts may say of a machine that is called `box`."""

_ENTER = """
set -e
hostname box
mount --bind "$1" /etc/hosts
shift
exec "$@"
"""


def on_box(directory: Path, hosts: str) -> list[str]:
    """What goes before a command for it to run where the host is called `box` and has this /etc/hosts.

    `directory` is where that file may lie; everybody may read it afterwards.
    """
    file = directory / "hosts"
    file.write_text(hosts)
    file.chmod(0o644)
    unshare = ["/usr/bin/unshare", "--uts", "--mount", "--propagation", "slave", "--"]
    return [*unshare, "/bin/sh", "-c", _ENTER, "sh", str(file)]
