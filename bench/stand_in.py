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
        told = {"key": ""}
        _tell(dict(os.environ), "batchspawner", {"port": port})
    while True:
        _answer(listener.accept()[0], bytes.fromhex(told["key"]))


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


def _answer(connection: socket.socket, key: bytes) -> None:
    with connection:
        connection.settimeout(5)
        try:
            asked = connection.recv(65536).split(b" ", 2)[1]
            body = b"{}"
            if b"skiva/challenge?nonce=" in asked:
                import hmac

                nonce = asked.rpartition(b"=")[2]
                body = hmac.new(key, b"skiva-challenge:" + nonce, "sha256").hexdigest().encode()
            head = f"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
            connection.sendall(head.encode() + body)
        except (OSError, IndexError):
            return


if __name__ == "__main__":
    main()
