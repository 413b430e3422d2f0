"""A session without JupyterLab: everything is the product's own but the server at its end.

It answers the challenge and says hello, so that many sessions fit on a small machine. Other kinds, named
on the command line, lie: an `impostor` does not know the key, a `mute` one closes its port, a `silent` one
never reports, and one that is to `crash` does so.
"""

import hashlib
import hmac
import os
import socket
import struct
import sys
import time
import types
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

_KIND = sys.argv[1]


def serve(listener: socket.socket, key: str) -> None:
    """Stand in for `skiva.session.serve.serve`."""
    secret = bytes.fromhex(key) if _KIND != "impostor" else b"a guess"
    if _KIND == "mute":
        listener.shutdown(socket.SHUT_RDWR)
        time.sleep(1000)
    prefix = os.environ.get("JUPYTERHUB_SERVICE_PREFIX", "/")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            # A port whose connections are reset at the server's end can be taken by somebody at once.
            self.request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            super().setup()

        def do_GET(self) -> None:
            place = urlsplit(self.path)
            if place.path == f"{prefix}skiva/challenge":
                nonce = parse_qs(place.query).get("nonce", [""])[0]
                text = hmac.new(secret, b"skiva-challenge:" + nonce.encode(), hashlib.sha256).hexdigest()
            else:
                text = f"hello from job {os.environ.get('SLURM_JOB_ID')}"
            body = text.encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(listener.getsockname()[:2], Handler, bind_and_activate=False)
    server.daemon_threads = True
    server.socket.close()
    server.socket = listener
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
