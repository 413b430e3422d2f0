"""Stands for a notebook server where only its being there matters: it listens, reports and answers.

Both sides start it: ours as a session's Python, stock as batchspawner's single-user command. It is copied to
where every account can run it, so it uses the standard library alone, and little of that: there are hundreds.
"""

import json
import os
import socket
import time
from typing import Any


def main() -> None:
    """Listen, tell the hub the port, answer for ever."""
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    run_dir = os.environ.get("SKIVA_RUN_DIR")
    if run_dir:
        with open(f"{run_dir}/server.json") as file:  # noqa: PTH123 - pathlib is slow to import
            told = json.load(file)
        _tell(told["env"], "skiva/report", _report(port, told["nonce"]))
    else:
        _tell(dict(os.environ), "batchspawner", {"port": port})
    tls = _context(told) if run_dir else None
    while True:
        _answer(listener.accept()[0], tls)


def _report(port: int, nonce: str) -> dict[str, Any]:
    proof = {"exclusive": True, "openable": 0, "denied": 0, "memory_limit": None, "sentence": ""}
    job_id = int(os.environ["SLURM_JOB_ID"])
    return {"port": port, "nonce": nonce, "job_id": job_id, "restarts": 0, "proof": proof}


def _tell(env: dict[str, str], path: str, body: dict[str, Any]) -> None:
    """POST to the hub until it has heard."""
    place, _, base = env["JUPYTERHUB_API_URL"].removeprefix("http://").partition("/")
    host, _, port = place.partition(":")
    text = json.dumps(body)
    head = (
        f"POST /{base.rstrip('/')}/{path} HTTP/1.1\r\nHost: {place}\r\nConnection: close\r\n"
        f"Authorization: token {env['JUPYTERHUB_API_TOKEN']}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(text)}\r\n\r\n"
    )
    status = 0
    while not 200 <= status < 300:
        with socket.create_connection((host, int(port)), timeout=60) as hub:
            hub.sendall((head + text).encode())
            status = int(hub.makefile().readline().split()[1])
        if status >= 300:
            time.sleep(0.5)


def _context(told: dict[str, Any]) -> Any:
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    descriptor = os.memfd_create("key")
    os.write(descriptor, (told["certificate"] + told["private_key"]).encode())
    context.load_cert_chain(f"/proc/self/fd/{descriptor}")
    return context


def _answer(connection: socket.socket, tls: Any) -> None:
    with connection:
        connection.settimeout(5)
        try:
            secured = tls.wrap_socket(connection, server_side=True) if tls else connection
            secured.recv(65536)
            secured.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}")
        except OSError:
            return


if __name__ == "__main__":
    main()
