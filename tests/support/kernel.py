"""Runs code in a kernel of somebody's notebook server, as their browser does."""

import json
import ssl
import uuid
from typing import Any
from urllib.parse import urlsplit

import httpx
from websockets.sync.client import ClientConnection, connect

__all__ = ["run_code"]


def run_code(
    url: str,
    token: str,
    code: str,
    *,
    kernel: str = "",
    seconds: float = 60.0,
    tls: ssl.SSLContext | None = None,
) -> str:
    """What `code` prints in a new kernel, which is ended afterwards.

    Args:
        url: the server's address, e.g. `http://127.0.0.1:8000/user/alice/`.
        token: an API token of its owner.
        kernel: the name of the kernel; by default the environment's.
        tls: whom to trust where the address is https.

    Raises:
        AssertionError: the code raised.
        TimeoutError: it did not end within `seconds`.
    """
    headers = {"Authorization": f"token {token}"}
    with httpx.Client(
        base_url=url, headers=headers, timeout=seconds, trust_env=False, verify=tls or True
    ) as server:
        asked = {"name": kernel} if kernel else {}
        kernel = server.post("api/kernels", json=asked).raise_for_status().json()["id"]
        place = urlsplit(url)
        address = f"{'wss' if tls else 'ws'}://{place.netloc}{place.path}api/kernels/{kernel}/channels"
        try:
            with connect(
                address, additional_headers=headers, open_timeout=seconds, proxy=None, ssl=tls
            ) as channels:
                return _run(channels, code, seconds)
        finally:
            server.delete(f"api/kernels/{kernel}")


def _run(channels: ClientConnection, code: str, seconds: float) -> str:
    asked = uuid.uuid4().hex
    header = {
        "msg_id": asked,
        "msg_type": "execute_request",
        "username": "",
        "session": asked,
        "version": "5.3",
    }
    content = {"code": code, "silent": False, "store_history": False, "user_expressions": {}}
    message = {"header": header, "parent_header": {}, "metadata": {}, "content": content}
    channels.send(json.dumps({"channel": "shell", "buffers": [], **message}))
    printed = ""
    while True:
        told: dict[str, Any] = json.loads(channels.recv(timeout=seconds))
        if told["parent_header"].get("msg_id") != asked:
            continue
        kind, said = told["msg_type"], told["content"]
        assert kind != "error", "\n".join(said["traceback"])
        if kind == "stream":
            printed += said["text"]
        if kind == "status" and said["execution_state"] == "idle":
            return printed
