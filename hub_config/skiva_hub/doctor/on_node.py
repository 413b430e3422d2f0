"""What a probe job does on its node. Standard library alone: the text of this file is the job's program.

It reads what to do from `server.json` in its directory, where a session has its secrets, and prints lines of
JSON, each behind the probe's word.
"""

import json
import os
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

_NEEDED = """
import json, subprocess, sys
from importlib.util import find_spec
needed = ("skiva.session", "jupyterlab", "jupyterhub", "jupyter_server", "ipykernel")
def lacks(name):
    try:
        return find_spec(name) is None
    except ImportError:
        return True
missing = [name for name in needed if lacks(name)]
if missing:
    sys.exit("it lacks " + ", ".join(missing))
try:
    with open(sys.prefix + "/image.json", "rb") as file:
        print(json.load(file)["digest"])
except FileNotFoundError:
    pass
except (OSError, ValueError, KeyError, TypeError) as problem:
    sys.exit("its record cannot be read: " + str(problem))
try:
    asked = [sys.argv[1], "--me", "--noheader"]
    done = subprocess.run(asked, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, timeout=30)
    words = done.returncode and (done.stderr.strip() or "it ended with %d" % done.returncode)
except (OSError, subprocess.TimeoutExpired) as problem:
    words = str(problem)
if words:
    sys.stderr.write("NO SLURM " + " ".join(words.split())[:300])
"""


def ask_hub(url: str, timeout: float) -> dict[str, str]:
    """How the hub's API answers: `hub`, `other`, `refused`, `untrusted` or `unreachable`, in words too."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=timeout) as response:
            body = response.read(65536)
        version = str(json.loads(body)["version"])
    except urllib.error.HTTPError as problem:
        with problem:
            return {"answer": "other", "words": f"it answered {problem.code}"}
    except (urllib.error.URLError, OSError) as problem:
        return _unanswered(getattr(problem, "reason", problem))
    except (ValueError, KeyError, TypeError):
        return {"answer": "other", "words": "it answered, but not as JupyterHub does"}
    return {"answer": "hub", "words": f"JupyterHub {version}"}


def _unanswered(cause: object) -> dict[str, str]:
    if isinstance(cause, ssl.SSLError):
        return {"answer": "untrusted", "words": str(getattr(cause, "verify_message", "") or cause)}
    if isinstance(cause, ConnectionRefusedError):
        return {"answer": "refused", "words": "nobody listens there"}
    return {"answer": "unreachable", "words": str(cause) or type(cause).__name__}


def own_address() -> str:
    """This node's own address, where a server listens unless the site says otherwise."""
    name = os.environ.get("SLURMD_NODENAME") or socket.gethostname()
    try:
        return str(socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)[0][4][0])
    except OSError:
        return "0.0.0.0"  # noqa: S104 - as a session does on a node whose name does not resolve


def listen(address: str, ports: list[int]) -> socket.socket:
    """A listening socket on some free port of the range."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    for port in range(ports[0], ports[1] + 1):
        listener = socket.socket(family, socket.SOCK_STREAM)
        try:
            listener.bind((address, port))
            listener.listen(1)
        except OSError:
            listener.close()
        else:
            return listener
    raise OSError(f"no free port from {ports[0]} to {ports[1]} on {address}")


def greet(listener: socket.socket, word: str, patience: float) -> None:
    """Say the probe's word to the first caller."""
    listener.settimeout(patience)
    try:
        caller, _ = listener.accept()
        with caller:
            caller.sendall(word.encode())
    except OSError:
        pass


def run_python(python: list[str], arguments: list[str], timeout: float) -> dict[str, Any]:
    """Run an environment's Python by its command line; exit status, what it printed, how it failed."""
    begun = time.monotonic()
    argv = [*python, "-I", *arguments]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=timeout, check=False)
    except subprocess.TimeoutExpired:
        return {"status": 124, "out": "", "error": f"it took longer than {timeout:g} s"}
    except OSError as problem:
        return {"status": 127, "out": "", "error": f"{argv[0]}: {problem.strerror}"}
    seconds = round(time.monotonic() - begun, 2)
    error = done.stderr.strip()[-500:]
    return {"status": done.returncode, "out": done.stdout[-4096:], "error": error, "seconds": seconds}


def tracked(text: str, root: Path) -> Path | None:
    """Our cgroup by which Slurm finds what a job started, from `/proc/self/cgroup`; in v1 the freezer's."""
    unified = (root / "cgroup.controllers").exists()
    for line in text.splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == ("" if unified else "freezer"):
            return root / controllers / path.lstrip("/")
    return None


def nests(cgroup: Path | None, name: str) -> bool:
    """Whether we can make another cgroup below ours, in which a process would stay behind unseen."""
    if cgroup is None:
        return False
    try:
        (cgroup / name).mkdir()
        (cgroup / name).rmdir()
    except OSError:
        return False
    return True


def sweeps(epilogs: Iterable[str]) -> bool:
    """Whether an epilog of this node is skiva-epilog, or a script that names it."""
    for pattern in epilogs:
        if pattern.endswith("/skiva-epilog"):
            return True
        for path in Path("/").glob(pattern.lstrip("/")):
            if path.name == "skiva-epilog":
                return True
            with suppress(OSError):
                if b"skiva-epilog" in path.read_bytes()[:65536]:
                    return True
    return False


def main() -> None:
    """Carry out the probe."""
    wanted = json.loads(Path(os.environ.pop("SKIVA_RUN_DIR"), "server.json").read_bytes())
    word = str(wanted["word"])

    def say(**said: Any) -> None:
        sys.stdout.write(f"{word} {json.dumps(said)}\n")
        sys.stdout.flush()

    say(begun=time.time(), node=os.environ.get("SLURMD_NODENAME", ""), host=socket.gethostname())
    caller = threading.Thread(target=lambda: None)
    try:
        listener = listen(wanted["bind"] or own_address(), wanted["ports"])
        say(port=listener.getsockname()[1])
        caller = threading.Thread(target=greet, args=(listener, word, wanted["patience"]), daemon=True)
    except OSError as problem:
        say(no_port=str(problem))
    caller.start()
    cgroup = tracked(Path("/proc/self/cgroup").read_text(), Path("/sys/fs/cgroup"))
    say(nests=nests(cgroup, f"skiva-{word}"), swept=sweeps(wanted["epilogs"]))
    say(hub=ask_hub(wanted["api_url"], 10.0))
    for name, python in wanted["environments"].items():
        say(environment=name, **run_python(python, ["-c", _NEEDED, wanted["squeue"]], 60.0))
    first = next(iter(wanted["environments"].values()))
    proof = run_python(first, ["-m", "skiva.session.proof", "--json", *wanted["proof"]], 30.0)
    say(proof=proof)
    caller.join(wanted["patience"])
    say(ended=time.time())


if __name__ == "__main__":
    main()
