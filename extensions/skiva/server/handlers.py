"""The addresses below `skiva/` that JupyterLab asks; every one needs login and authorization."""

import asyncio
import json
import time
from dataclasses import dataclass
from typing import Any

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler
from tornado import web

from .gpus import Gpu, GpuReader
from .hub import Hub, HubRefusedError
from .memory import Memory, read_memory
from .session_facts import SessionFacts
from .state import SessionState

_FRESH = 2.0
"""Seconds for which a reading serves every open browser tab."""


@dataclass(frozen=True, slots=True)
class _Reading:
    of: SessionFacts | None
    at: float
    memory: Memory | None
    gpus: tuple[Gpu, ...] | None


class Session:
    """Everything the handlers need: the state, the hub, and what was measured last."""

    def __init__(self, state: SessionState, hub: Hub | None) -> None:
        self.state = state
        self.hub = hub
        self._gpus = GpuReader()
        self._last: _Reading | None = None
        self._reading = asyncio.Lock()

    async def status(self) -> dict[str, Any]:
        """The answer of `GET skiva/status`."""
        async with self._reading:
            facts, last = self.state.facts, self._last
            # A launcher that corrects what it wrote is not answered with what was measured before.
            if last is None or last.of is not facts or time.monotonic() - last.at > _FRESH:
                last = self._last = await asyncio.to_thread(self._measure, facts)
        return self.state.status(last.memory, last.gpus)

    def _measure(self, facts: SessionFacts | None) -> _Reading:
        if facts is None:
            return _Reading(None, time.monotonic(), None, None)
        asks_nvml = not facts.simulated and facts.gres.startswith(("gpu", "shard", "mps"))
        return _Reading(
            facts,
            time.monotonic(),
            read_memory(facts.job_id, facts.memory_mb),
            self._gpus.read() if asks_nvml else None,
        )

    async def extend(self) -> float:
        """Ask the hub for a later end and note it. Raises HubRefusedError."""
        if self.hub is None:
            raise HubRefusedError(
                "This server was not started by a hub, so there is no time limit to extend."
            )
        ends = await self.hub.extend()
        self.state.extended(ends)
        return ends


class _Handler(APIHandler):
    auth_resource = "skiva"
    # Looking at the clock is no work: it must not keep an idle server alive.
    _track_activity = False

    @property
    def session(self) -> Session:
        found: Session = self.settings["skiva"]
        return found


class StatusHandler(_Handler):
    """What the status bar shows."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Answer with the session, or `{"slice": null}` where this server lives in none."""
        self.set_header("Cache-Control", "no-store")
        self.finish(json.dumps(await self.session.status()))


class ExtendHandler(_Handler):
    """One press on *Extend*."""

    @web.authenticated
    @authorized
    async def post(self) -> None:
        """Answer with the new end, or with 409 and one sentence."""
        try:
            await self.session.extend()
        except HubRefusedError as refused:
            self.set_status(409)
            self.finish(json.dumps({"message": str(refused)}))
            return
        self.finish(json.dumps(await self.session.status()))
