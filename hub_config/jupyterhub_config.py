"""The hub of a site: reads the site file, then let whatever only this site needs follow below.

Start it with `jupyterhub -f jupyterhub_config.py` as the hub's unprivileged account, and the proxy
beside it with `python -m skiva_hub.proxy STATE_DIR PUBLIC_URL API_URL`.
"""

import os
from pathlib import Path

from skiva_hub import proxy
from skiva_hub.config import configure
from skiva_hub.site_file import load

c = get_config()  # type: ignore[name-defined]  # noqa: F821 - JupyterHub gives it

state_dir = Path(os.environ.get("SKIVA_STATE", "/var/lib/skiva-hub"))
configure(
    c,
    load(Path(os.environ.get("SKIVA_SITE", "/etc/skiva/site.toml"))),
    state_dir,
    stream_port=int(os.environ.get("SKIVA_STREAM_PORT", "8085")),
)
proxy_api = os.environ.get("SKIVA_PROXY_API_URL", "http://127.0.0.1:8099")
proxy.configure(c, proxy.ProxyFiles(state_dir), proxy_api)

c.JupyterHub.bind_url = os.environ.get("SKIVA_PUBLIC_URL", "http://127.0.0.1:8000")
c.JupyterHub.hub_bind_url = os.environ.get("SKIVA_HUB_URL", "http://127.0.0.1:8081")
c.JupyterHub.db_url = os.environ.get("SKIVA_DB_URL", f"sqlite:///{state_dir / 'jupyterhub.sqlite'}")
c.JupyterHub.cookie_secret_file = str(state_dir / "cookie-secret")

# PAM is JupyterHub's default; any other authenticator goes here.
c.Authenticator.allow_all = True
