"""The single-user server itself, started lean, on a socket that is already bound."""

import gc
import signal
import socket
import ssl
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from skiva.session.busy import stay_awake_while_busy
from skiva.session.entry_points import read_once
from skiva.session.lean import lean_imports
from skiva.session.operators import read_only_operators_settings
from skiva.session.shell import put_own_programs_first, shell_command


def serve(listener: socket.socket, tls: ssl.SSLContext, path: str = "") -> None:
    """Run JupyterHub's single-user server in this process, behind TLS alone, until it is told to end.

    `path` is the PATH that the site sets in this environment, if it does.
    """
    # What a start makes stays for good: looking through it for garbage, again and again, finds none.
    gc.disable()
    read_only_operators_settings()
    read_once()
    with lean_imports():
        import jupyterlab.labapp  # noqa: F401
        from jupyter_server.serverapp import ServerApp
        from jupyterhub.singleuser.extension import JupyterHubSingleUser

    _listen_on(ServerApp, listener, tls)
    _leave_out_the_classic_notebook(ServerApp)
    _send_without_delay()
    # The report has already told that the hub is there; asking again would only cost a start.
    JupyterHubSingleUser.check_hub_version = _nothing
    _keep_the_log_readable()
    put_own_programs_first()
    sys.argv = ["skiva-session"]
    server = JupyterHubSingleUser.initialize_server(argv=_arguments(), config=_defaults(path))
    # The check asks a node program whether extensions must be compiled; here none ever must.
    server.web_app.settings["page_config_data"].update(buildCheck=False, buildAvailable=False)
    _warn_on_signal(server)
    stay_awake_while_busy(server)
    _proxy_to_own_ports()
    gc.freeze()
    gc.enable()
    server.start()


def _arguments() -> list[str]:
    """What no configuration file may change."""
    settings = {
        "ServerApp.root_dir": str(Path.home()),
        "ServerApp.allow_unauthenticated_access": False,
        "ServerApp.default_url": "/lab",
        "KernelManager.transport": "ipc",
        # People's own kernels are offered beside the environment's; nothing else of their files is read.
        "ServerApp.kernel_spec_manager_class": "skiva.kernels.manager.SessionKernelSpecs",
    }
    return [f"--{name}={value}" for name, value in settings.items()]


def _defaults(path: str) -> Any:
    """What an operator's configuration may change: no questions to users, no news from outside."""
    from traitlets.config import Config

    never = "jupyterlab.handlers.announcements.NeverCheckForUpdate"
    return Config(
        LabApp={"news_url": None, "check_for_updates_class": never, "extension_manager": "readonly"},
        ServerApp={"terminado_settings": {"shell_command": shell_command(path=path)}},
        # The places where npm puts things, said here so that npm need not be run and asked.
        LanguageServerManager={"node_roots": [f"{sys.prefix}/lib", "/usr/local/lib", "/usr/lib"]},
    )


def _keep_the_log_readable() -> None:
    """Leave out some forty lines of advice to the authors of extensions; a failed start shows this log."""
    import warnings

    from jupyter_server.utils import JupyterServerAuthWarning

    warnings.simplefilter("ignore", JupyterServerAuthWarning)


async def _nothing(*_: object) -> None:
    return None


def _listen_on(server_class: Any, listener: socket.socket, tls: ssl.SSLContext) -> None:
    def find_port(server: Any) -> None:
        server.port = listener.getsockname()[1]

    def bind(server: Any) -> bool:
        # Its settings take files alone.
        server.http_server.ssl_options = tls
        server.http_server.add_socket(listener)
        return True

    server_class._find_http_port = find_port  # noqa: SLF001 - the server has no other way to take a socket
    server_class._bind_http_server_tcp = bind  # noqa: SLF001


def _leave_out_the_classic_notebook(server_class: Any) -> None:
    """Not load the extension that serves extensions of Notebook 6, for which it imports IPython."""
    find = server_class.find_server_extensions

    def find_others(server: Any) -> None:
        server.jpserver_extensions.setdefault("notebook_shim", False)
        find(server)

    server_class.find_server_extensions = find_others


def _send_without_delay() -> None:
    """Send each kernel message at once; otherwise every cell waits some 40 ms for an acknowledgement."""
    from jupyter_server.services.kernels.websocket import KernelWebsocketHandler

    handler: Any = KernelWebsocketHandler
    opened = handler.open

    async def open_without_delay(self: Any, *args: Any, **kwargs: Any) -> None:
        self.set_nodelay(True)
        await opened(self, *args, **kwargs)

    handler.open = open_without_delay


def _warn_on_signal(server: Any) -> None:
    """Slurm's warning signal becomes a warning in the page and a save of what is open."""
    from skiva import server as extension

    def warn(*_: object) -> None:
        extension.warn(server)

    signal.signal(signal.SIGUSR1, warn)


def _proxy_to_own_ports() -> None:
    with suppress(ImportError):  # an environment may do without it
        from jupyter_server_proxy.handlers import ProxyHandler

        from skiva.session.own_ports import reach_only_own

        reach_only_own(ProxyHandler)
