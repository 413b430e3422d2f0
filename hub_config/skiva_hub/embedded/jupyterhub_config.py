"""The configuration of the hub that `skiva up` starts; what is its own is in the environment."""

import os
from functools import partialmethod
from pathlib import Path

from tornado.httpserver import HTTPServer

from skiva_hub import proxy
from skiva_hub.config import configure
from skiva_hub.site_file import load

c = get_config()  # type: ignore[name-defined]  # noqa: F821 - JupyterHub gives it

state_dir = Path(os.environ["SKIVA_STATE"])
public_url = f"http://127.0.0.1:{os.environ['SKIVA_PORT']}"

configure(
    c, load(Path(os.environ["SKIVA_SITE"])), state_dir, stream_port=int(os.environ["SKIVA_STREAM_PORT"])
)
proxy.configure(c, proxy.ProxyFiles(state_dir), f"http://127.0.0.1:{os.environ['SKIVA_PROXY_API_PORT']}")

# The supervisor lets in who shares its ports (`ports.close_to_others`); JupyterHub has no setting for it.
HTTPServer.listen = partialmethod(HTTPServer.listen, reuse_port=True)  # type: ignore[method-assign,assignment]
stream = next(service for service in c.JupyterHub.services if service["name"] == "skiva")
stream["environment"]["SKIVA_STREAM_SHARED"] = "1"

c.JupyterHub.bind_url = public_url
c.JupyterHub.hub_bind_url = f"http://127.0.0.1:{os.environ['SKIVA_HUB_PORT']}"
c.JupyterHub.db_url = os.environ["SKIVA_DB_URL"]
c.JupyterHub.cookie_secret_file = str(state_dir / "cookie-secret")

# Demonstration accounts with one generated password; a real site has an authenticator of its own.
c.JupyterHub.authenticator_class = "shared-password"
c.SharedPasswordAuthenticator.user_password = Path(os.environ["SKIVA_PASSWORD_FILE"]).read_text().strip()
c.Authenticator.allowed_users = set(os.environ["SKIVA_USERS"].split())

c.JupyterHub.services.append(
    {
        "name": "admin",
        "api_token": Path(os.environ["SKIVA_ADMIN_TOKEN_FILE"]).read_text().strip(),
        "display": False,
    }
)
c.JupyterHub.load_roles.append(
    {
        "name": "skiva-admin",
        "services": ["admin"],
        "scopes": [
            "admin:users",
            "admin:servers",
            "admin:groups",
            "tokens",
            "read:hub",
            "proxy",
            "read:metrics",
        ],
    }
)
