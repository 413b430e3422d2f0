"""Listen, prove, report, serve: in this order, and the slow imports only behind the first two."""

import atexit
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from skiva.server.session_facts import FILE_NAME, SessionFacts, write_facts
from skiva.session.listen import listen
from skiva.session.offered import write_offer
from skiva.session.own_environment import digest
from skiva.session.private import NotASession, Private
from skiva.session.proof import Proof, prove
from skiva.session.report import Obsolete, Unheard, report, tell_end
from skiva.session.tls import server_context

_PATIENCE = 600.0
"""Seconds for which a session waits for a hub that does not answer."""


def main() -> None:
    """Become the session that the run directory describes."""
    try:
        private = Private.read(Path(os.environ["SKIVA_RUN_DIR"]))
    except (KeyError, NotASession, TypeError, ValueError) as problem:
        _end(f"This is not a session: {problem}", 64)
    listener = listen(private.bind or _own_address(), private.ports)
    proof = prove(private.devices, private.always_open, private.devices_wanted)
    print(f"skiva: session={private.nonce} {proof.sentence}", flush=True)
    _write_facts(private, proof)
    # What it tells is looked up here: the listener is the server's as soon as that runs.
    told = _told(private, listener, proof)
    threading.Thread(target=_report, args=(private, told), daemon=True).start()
    write_offer(private.offer, private.run_dir, Path.home(), digest())
    if private.must_be_exclusive and not proof.exclusive:
        # The hub ends this job as soon as it has heard why; the server never starts.
        time.sleep(_PATIENCE)
        _end(proof.sentence, 65)
    _set_environment(private, listener)

    from skiva.session.serve import serve

    tls = server_context(private.certificate, private.private_key)
    serve(listener, tls, path=private.variables.get("PATH", ""))
    tell_end(private.api_url, private.api_token)
    leave()


def leave() -> NoReturn:
    """End now: a thread whose request was cut off is never told to end, and a process waits for threads."""
    atexit._run_exitfuncs()  # noqa: SLF001 - what os._exit leaves out
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _own_address() -> str:
    """Where the hub will look for us: on this node's name, or on loopback if that is all it has."""
    name = os.environ.get("SKIVA_NODE_ADDRESS") or os.environ.get("SLURMD_NODENAME") or socket.gethostname()
    try:
        return str(socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)[0][4][0])
    except OSError:
        return "0.0.0.0"  # noqa: S104 - a node whose name does not resolve; its certificate still guards the route


def _told(private: Private, listener: socket.socket, proof: Proof) -> dict[str, object]:
    return {
        "port": listener.getsockname()[1],
        "nonce": private.nonce,
        "job_id": int(os.environ.get("SLURM_JOB_ID", "0")),
        "restarts": int(os.environ.get("SLURM_RESTART_COUNT", "0")),
        "proof": proof.report(),
        "digest": digest(),
    }


def _report(private: Private, told: dict[str, object]) -> None:
    try:
        report(private.api_url, private.api_token, told, _PATIENCE)
    except (Obsolete, Unheard) as problem:
        print(f"skiva: this session ends: {problem}", file=sys.stderr, flush=True)
        os.kill(os.getpid(), signal.SIGTERM)


def _write_facts(private: Private, proof: Proof) -> None:
    started = float(os.environ.get("SLURM_JOB_START_TIME") or time.time())
    ends = float(os.environ.get("SLURM_JOB_END_TIME") or started + private.minutes * 60)
    values = dict(private.session)
    longest = float(values.pop("max_hours"))
    facts = SessionFacts.from_mapping(
        {
            **values,
            "job_id": int(os.environ.get("SLURM_JOB_ID", "0")),
            "node": os.environ.get("SLURMD_NODENAME", ""),
            "digest": digest(),
            "started": started,
            "ends": ends,
            "extend_until": started + longest * 3600,
        }
    )
    if not proof.exclusive and facts.isolation == "exclusive":
        facts = replace(facts, isolation="none")
    write_facts(private.run_dir / FILE_NAME, facts)


def _set_environment(private: Private, listener: socket.socket) -> None:
    # Sockets and connection files of kernels live on the node: short paths, and no full home stops them.
    runtime = tempfile.mkdtemp(prefix="skiva-")
    atexit.register(shutil.rmtree, runtime, ignore_errors=True)
    address, port = listener.getsockname()[:2]
    host = f"[{address}]" if ":" in address else address
    prefix = private.env.get("JUPYTERHUB_SERVICE_PREFIX", "/")
    os.environ.update(private.variables)
    os.environ.update(private.env)
    os.environ.update(
        JUPYTERHUB_SERVICE_URL=f"https://{host}:{port}{prefix}",
        JUPYTERHUB_DISABLE_USER_CONFIG="1",
        JUPYTER_RUNTIME_DIR=runtime,
        SKIVA_STREAM_URL=private.stream_url,
        SKIVA_ENVIRONMENT=str(private.session.get("environment_id", "")),
        SKIVA_ENVIRONMENT_DIGEST=digest(),
        # Where the pages of a Dask cluster on this node are, for a browser.
        DASK_DISTRIBUTED__DASHBOARD__LINK=f"{prefix}proxy/{{port}}/status",
    )


def _end(sentence: str, status: int) -> NoReturn:
    print(f"skiva: {sentence}", file=sys.stderr, flush=True)
    raise SystemExit(status)
