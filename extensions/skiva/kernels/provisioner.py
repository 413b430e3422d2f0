"""How a session starts a kernel: it looks first, says what is wrong, keeps a dying one's last lines."""

import asyncio
import contextlib
import os
import socket
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from jupyter_client.provisioning.local_provisioner import LocalProvisioner

from .current import OF_THE_ENVIRONMENT, Kernel, variables
from .problems import MARK, KernelBroken, Problem, problem
from .tail import Tail

__all__ = ["SessionProvisioner"]

_LOOK = 5.0
"""Seconds for looking at a kernel's files; beyond that its file system does not answer."""
_BIRTH = 30.0
"""Seconds for which a start is watched; a slow shared file system may take longer, and no harm is done."""


class SessionProvisioner(LocalProvisioner):
    """Starts the environment's kernels as Jupyter does, and people's own with a look before and after."""

    _tail: Tail | None = None

    async def pre_launch(self, **kwargs: Any) -> dict[str, Any]:
        """Refuse a broken kernel at once, in words.

        Raises:
            KernelBroken: it cannot start.
        """
        if found := await self._look():
            raise self._broken(found.folded(self._title))
        kernel = await asyncio.to_thread(self._kernel)
        prepared: dict[str, Any] = await super().pre_launch(**kwargs)
        prepared["env"] |= variables(kernel)
        return prepared

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> Any:
        """Start it, and wait until it listens.

        Raises:
            KernelBroken: it ended instead.
        """
        self._tail = Tail()
        with self._tail.writing() as output:
            try:
                connection = await super().launch_kernel(
                    cmd, **{**kwargs, "stdout": output, "stderr": output}
                )
            except OSError as error:
                said = f"{self._title} cannot start: {error.strerror} ({cmd[0]})."
                raise self._broken(said) from None
        await self._until_listening(connection)
        return connection

    def _broken(self, words: str) -> KernelBroken:
        """What to raise when nothing of the start is left; at its end a server waits for all it knows."""
        manager: Any = self.parent
        kernels = getattr(manager, "parent", None)
        getattr(kernels, "_pending_kernels", {}).pop(self.kernel_id, None)
        with contextlib.suppress(Exception):
            manager.cleanup_connection_file()
        return KernelBroken(words)

    @property
    def _title(self) -> str:
        return str(self.kernel_spec.display_name).removesuffix(f" {MARK}")

    @property
    def _own(self) -> dict[str, Any]:
        own = self.kernel_spec.metadata.get("skiva")
        return own if isinstance(own, dict) else {}

    async def _look(self) -> Problem | None:
        spec = {"argv": list(self.kernel_spec.argv), "metadata": self.kernel_spec.metadata}
        try:
            return await asyncio.wait_for(asyncio.to_thread(problem, self.kernel_spec.name, spec), _LOOK)
        except TimeoutError:
            place = self._own.get("prefix") or self.kernel_spec.argv[0]
            return Problem(f"The file system of {place} does not answer.")

    def _kernel(self) -> Kernel:
        """What is told to the kernel of itself."""
        name = str(getattr(self.parent, "kernel_name", "") or self.kernel_spec.name)
        own = self._own
        if not own:
            return _of_others(name, self.kernel_spec.argv)
        kernel = Kernel(
            name, own["kind"], Path(own["python"]), Path(own["prefix"]), str(own.get("digest", ""))
        )
        with contextlib.suppress(Exception):  # provenance never stops a kernel
            kernel = replace(kernel, digest=_digest_now(own))
        return kernel

    async def _until_listening(self, connection: Any) -> None:
        end = time.monotonic() + _BIRTH
        while time.monotonic() < end and not _listens(connection):
            if await self.poll() is not None:
                status = await self.wait()
                raise self._broken(await self._last_words(status))
            await asyncio.sleep(0.05)

    async def _last_words(self, status: int | None) -> str:
        lines = await self._tail.lines() if self._tail else []
        ended = f"{self._title} ended while it started (exit status {status})."
        return "\n".join([ended, *(["Its last lines:", *lines] if lines else ["It printed nothing."])])


def _of_others(name: str, argv: list[str]) -> Kernel:
    """A kernel of the session's environment, or one that a person made without us."""
    import sys

    python = Path(argv[0]) if argv and Path(argv[0]).is_absolute() else Path(sys.executable)
    prefix = python.parent.parent
    if prefix == Path(sys.prefix):
        digest = os.environ.get("SKIVA_ENVIRONMENT_DIGEST", "")
        return Kernel(name, OF_THE_ENVIRONMENT, python, prefix, digest)
    return Kernel(name, "", python, prefix, "")


def _digest_now(own: dict[str, Any]) -> str:
    """The digest as it is now, read anew only if something was installed meanwhile."""
    from .environments import Environment
    from .probe import digest_of, stamp_of

    packages, prefix = Path(own["packages"]), Path(own["prefix"])
    if own.get("digest") and own.get("stamp") == stamp_of(packages, prefix):
        return str(own["digest"])
    environment = Environment(own["kind"], prefix, Path(own["python"]))
    return digest_of(environment, own["python_version"], packages)


def _listens(connection: Any) -> bool:
    """Whether the kernel has opened its heartbeat."""
    ip, port = connection["ip"], connection["hb_port"]
    if connection.get("transport") == "ipc":
        return Path(f"{ip}-{port}").exists()
    with socket.socket() as probe:
        probe.settimeout(0.2)
        return probe.connect_ex((ip, port)) == 0
