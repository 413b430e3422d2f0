"""The proxy as a program of its own, so that open notebooks do not notice a restart of the hub.

`python -m skiva_hub.proxy STATE_DIR` writes traefik's start configuration and becomes traefik.
Routes come from a file that the hub keeps; traefik has them again at once when it is restarted.
"""

import base64
import hashlib
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from skiva_hub.kept_secret import kept_secret

_GONE = "skiva-gone"
"""Shows the hub's page `502.html` where a server has gone and its route is still there."""
_ADDRESS = "skiva-address"
"""Leaves it to X-Forwarded-For where a request is from: traefik's X-Real-Ip is the web server in front."""


@dataclass(frozen=True)
class ProxyFiles:
    """Where hub and proxy meet: a private directory of the hub's account."""

    state_dir: Path

    @property
    def routes(self) -> Path:
        """Written by the hub, watched by traefik."""
        return self.state_dir / "routes.toml"

    @property
    def start(self) -> Path:
        """Traefik's start configuration."""
        return self.state_dir / "proxy.toml"

    def password(self) -> str:
        """The password of traefik's API, made by whoever needs it first."""
        return kept_secret(self.state_dir / "proxy-password")


def start_configuration(files: ProxyFiles, public_url: str, api_url: str, *, shared: bool = False) -> str:
    """Traefik's start configuration as TOML.

    Args:
        shared: whether somebody holds its ports for its account, and lets in who shares them.
    """
    reuse = f"reusePort = {str(shared).lower()}"
    return f"""\
[global]
checkNewVersion = false
sendAnonymousUsage = false
[api]
[providers]
providersThrottleDuration = "0s"
[providers.file]
filename = "{files.routes}"
watch = true
[log]
level = "WARN"
[entryPoints.skiva]
address = "{urlsplit(public_url).netloc}"
{reuse}
[entryPoints.skiva.forwardedHeaders]
trustedIPs = ["127.0.0.1/32", "::1/128"]
[entryPoints.skiva.http]
middlewares = ["{_GONE}@file", "{_ADDRESS}@file"]
[entryPoints.skiva.transport.respondingTimeouts]
readTimeout = "0s"
[entryPoints.skiva-api]
address = "{urlsplit(api_url).netloc}"
{reuse}
"""


def configure(c: Any, files: ProxyFiles, api_url: str) -> None:
    """Let the hub use the proxy that `main` runs."""
    from jupyterhub_traefik_proxy.traefik_utils import generate_alias

    password = files.password()
    proxy = c.TraefikFileProviderProxy
    proxy.should_start = False
    proxy.static_config_file = str(files.start)
    proxy.dynamic_config_file = str(files.routes)
    proxy.traefik_api_url = api_url
    proxy.traefik_entrypoint = "skiva"
    proxy.traefik_api_entrypoint = "skiva-api"
    proxy.traefik_api_username = "skiva"
    proxy.traefik_api_password = password
    hub = generate_alias("/", "service")
    gone = {"errors": {"status": ["502"], "service": hub, "query": "/hub/error/{status}"}}
    address = {"headers": {"customRequestHeaders": {"X-Real-Ip": ""}}}
    proxy.extra_dynamic_config = {"http": {"middlewares": {_GONE: gone, _ADDRESS: address}}}
    # A slow hash protects guessable passwords; this one is random, and each new route asks twice.
    digest = base64.b64encode(hashlib.sha1(password.encode(), usedforsecurity=False).digest())
    proxy.traefik_api_hashed_password = "{SHA}" + digest.decode()


def main() -> None:
    """Become traefik: `python -m skiva_hub.proxy STATE_DIR PUBLIC_URL API_URL [shared]`."""
    state_dir, public_url, api_url, *shared = sys.argv[1:]
    files = ProxyFiles(Path(state_dir))
    files.start.write_text(start_configuration(files, public_url, api_url, shared=bool(shared)))
    if not files.routes.exists():
        files.routes.touch(0o600)
    traefik = Path(sys.executable).with_name("traefik")
    os.execv(traefik, [str(traefik), f"--configfile={files.start}"])


if __name__ == "__main__":
    main()
