"""What the measurement of starts compares: our launcher in each form of an environment, and the usual way."""

import json
import os
import ssl
import sysconfig
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.start_opens import below, inside
from skiva_hub.permitted import Permitted
from skiva_hub.site import Environment, Hub, Partition, Site, Slice
from skiva_images.launch import Launch, command_line
from skiva_spawners.certificate import Pair, trust
from skiva_spawners.offers import offer
from skiva_spawners.options import choose
from skiva_spawners.record import Record
from skiva_spawners.request import server_file

PREFIX = "/user/bench/"
_INSIDE = "/opt/skiva/bin/python"
_PATH = "/usr/local/bin:/usr/bin:/bin"
_NODES_OWN = ("/dev", "/proc", "/sys", "/tmp", "/var/tmp")  # noqa: S108 - they are left out of a count

_ENTERED = [Path(base, "root") for base in ("/boot", "/media", "/mnt", "/srv", "/opt")]
"""Where the launcher of images puts them together, in a namespace of its own."""


@dataclass(frozen=True)
class Place:
    """Where one start lives.

    Attributes:
        run_dir: of this start alone, belongs to the account.
        home: of the account.
        port: where its server listens, on 127.0.0.1.
        api_url: of the hub.
    """

    run_dir: Path
    home: Path
    port: int
    api_url: str


@dataclass(frozen=True)
class Side:
    """One way to start a notebook server.

    Attributes:
        name: what the report calls it.
        shared: what of it would lie on the path that all nodes share.
        python: where more of it lies, on each node or in it.
        prepare: writes what the start needs; the command line and the environment of the start.
        is_shared: whether a path, as the kernel names what was opened, is a file on the shared path.
        tls: how its server is asked, where it is asked in TLS.
    """

    name: str
    shared: Path
    python: Sequence[Path]
    prepare: Callable[[Place], tuple[Sequence[str], Mapping[str, str]]]
    is_shared: Callable[[Place], Callable[[str], bool]]
    tls: ssl.SSLContext | None = None


def plain(environment: Path) -> Side:
    """JupyterHub's own command of an environment, as a spawner runs it."""

    def prepare(place: Place) -> tuple[Sequence[str], Mapping[str, str]]:
        url = f"http://127.0.0.1:{place.port}{PREFIX}"
        return [str(environment / "bin/jupyterhub-singleuser")], {
            **_surroundings(place),
            **_hubs_words(place),
            "JUPYTERHUB_SERVICE_URL": url,
        }

    return Side("plain", environment, _stdlib(), prepare, lambda _: below(environment))


def ours(name: str, launch: Launch) -> Side:
    """A session, started as the spawner's job script starts it."""
    command = command_line(launch, ["-I", "-m", "skiva.session"])
    # A plain environment lies around its Python; its image is what the other launchers are given.
    shared = Path(launch.image or Path(launch.python).parent.parent)

    def prepare(place: Place) -> tuple[Sequence[str], Mapping[str, str]]:
        private = place.run_dir / "server.json"
        private.write_text(_server_file(place, pair))
        private.chmod(0o600)
        os.chown(private, place.run_dir.stat().st_uid, -1)
        return command, _surroundings(place)

    def is_shared(place: Place) -> Callable[[str], bool]:
        if not shared.is_dir() or not launch.image:
            return below(shared)
        return inside(shared, _ENTERED, [*_NODES_OWN, str(place.home), *launch.binds])

    pair = Pair.new()
    python = () if launch.image else _stdlib()
    return Side(name, shared, python, prepare, is_shared, trust(pair.certificate))


def forms(env: Path, oci: Path | None, sif: Path | None) -> list[Side]:
    """Our sides: an environment's directory, an unpacked image, a single file."""
    sides = [ours("env", Launch(python=str(env / "bin/python")))]
    for name, image in (("oci", oci), ("sif", sif)):
        if image:
            sides.append(ours(name, Launch(launcher="namespace", python=_INSIDE, image=str(image))))
    return sides


def _stdlib() -> list[Path]:
    return [Path(sysconfig.get_path("stdlib"))]


def _surroundings(place: Place) -> dict[str, str]:
    return {
        "HOME": str(place.home),
        "LANG": "C.UTF-8",
        "PATH": _PATH,
        "SKIVA_RUN_DIR": str(place.run_dir),
    }


def _hubs_words(place: Place) -> dict[str, str]:
    scopes = json.dumps(["access:servers!user=bench"])
    return {
        "JUPYTERHUB_ACTIVITY_URL": f"{place.api_url}/users/bench/activity",
        "JUPYTERHUB_API_TOKEN": "0" * 32,
        "JUPYTERHUB_API_URL": place.api_url,
        "JUPYTERHUB_BASE_URL": "/",
        "JUPYTERHUB_CLIENT_ID": "jupyterhub-user-bench",
        "JUPYTERHUB_HOST": "",
        "JUPYTERHUB_OAUTH_ACCESS_SCOPES": scopes,
        "JUPYTERHUB_OAUTH_CALLBACK_URL": f"{PREFIX}oauth_callback",
        "JUPYTERHUB_OAUTH_SCOPES": scopes,
        "JUPYTERHUB_SERVER_NAME": "",
        "JUPYTERHUB_SERVICE_PREFIX": PREFIX,
        "JUPYTERHUB_USER": "bench",
    }


def _server_file(place: Place, pair: Pair) -> str:
    site = Site(
        hub=Hub(api_url=place.api_url, bind="127.0.0.1", ports=(place.port, place.port)),
        partition=(Partition(name="cpu"),),
        slice=(Slice(id="cpu", title="CPU", partition="cpu", memory_mb=2048, isolation="none"),),
        environment=(Environment(id="base", title="Base", python=Path("/usr/bin/python3")),),
    )
    choice = choose({}, Permitted(site), "bench", frozenset())
    record = Record.new(
        choice, certificate=pair.certificate, api_token="0" * 32, account="bench", clicked=0.0
    )
    offered = offer(Permitted(site), "bench", frozenset(), choice.environment, {})
    return server_file(site, choice, record, pair.private_key, _hubs_words(place), "", offered)
