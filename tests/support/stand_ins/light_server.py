"""A session without JupyterLab: everything is the product's own but the server at its end.

It says hello in TLS, so that many sessions fit on a small machine. Other kinds, named on the command line,
lie: an `impostor` has a pair of its own making, one that is `plain` speaks no TLS, a `mute` one closes its
port, a `silent` one never reports, and one that is to `crash` does so.
"""

import os
import socket
import ssl
import struct
import sys
import tempfile
import time
import types
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

_KIND = sys.argv[1]


def _other_context() -> ssl.SSLContext:
    from skiva.dask.place import ClusterDir
    from skiva.dask.security import make_keys

    place = ClusterDir(Path(tempfile.mkdtemp()))
    place.key.parent.mkdir()
    make_keys(place)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(place.certificate, place.key)
    return context


def serve(listener: socket.socket, tls: ssl.SSLContext, *, path: str = "") -> None:
    """Stand in for `skiva.session.serve.serve`."""
    if _KIND == "mute":
        listener.shutdown(socket.SHUT_RDWR)
        time.sleep(1000)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            # A port whose connections are reset at the server's end can be taken by somebody at once.
            self.request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            super().setup()

        def do_GET(self) -> None:
            body = f"hello from job {os.environ.get('SLURM_JOB_ID')}".encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(listener.getsockname()[:2], Handler, bind_and_activate=False)
    server.daemon_threads = True
    server.socket.close()
    if _KIND == "impostor":
        tls = _other_context()
    # The handshake is the thread's affair: whoever is slow at it keeps nobody else waiting.
    server.socket = (
        listener
        if _KIND == "plain"
        else tls.wrap_socket(listener, server_side=True, do_handshake_on_connect=False)
    )
    server.serve_forever()


if __name__ == "__main__":
    stand_in = types.ModuleType("skiva.session.serve")
    stand_in.serve = serve  # type: ignore[attr-defined]
    sys.modules["skiva.session.serve"] = stand_in
    if _KIND == "silent":
        time.sleep(1000)
    if _KIND == "crash":
        sys.exit("canary: a library is missing")
    from skiva.session.launch import main

    main()
