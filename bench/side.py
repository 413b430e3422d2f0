"""One of the two hubs of a comparison, as the measurements see it."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote

import aiohttp

from bench.proc import cpu_seconds

_PATIENCE = 300.0
_Result = TypeVar("_Result")


class AnsweredOtherwise(Exception):
    """The REST interface did not do what a measurement needs."""


@dataclass(frozen=True)
class Side:
    """A hub that is measured.

    Attributes:
        name: what the report calls it.
        url: where browsers go, with a slash at its end.
        password: of every account.
        token: an administrator's, for the REST interface.
        form: the fields of its spawn form; None where a link starts.
        options: what REST is asked for.
        pid: finds the hub's process.
        asks_as: the account that asks Slurm for it alone; none where several people's accounts do.
    """

    name: str
    url: str
    password: str
    token: str
    form: Mapping[str, str] | None
    options: Mapping[str, object]
    pid: Callable[[], int]
    asks_as: str = ""

    def cpu(self) -> float:
        """Processor seconds of the hub and of all that it ran and runs, without proxy and sessions."""
        return cpu_seconds(self.pid())

    async def answers(self, seconds: float = 60.0) -> None:
        """Wait until the hub answers through its proxy.

        Raises:
            TimeoutError: it did not.
        """
        async with asyncio.timeout(seconds), aiohttp.ClientSession() as http:
            while True:
                try:
                    async with http.get(f"{self.url}hub/api") as answer:
                        if answer.status == 200:
                            return
                except aiohttp.ClientError:
                    pass
                await asyncio.sleep(0.1)

    async def add_users(self, names: list[str]) -> None:
        """Let these accounts sign in."""
        await self._ask("POST", "users", {"usernames": names}, accepted={201, 409})

    async def remove_user(self, name: str) -> None:
        """Forget an account."""
        await self._ask("DELETE", f"users/{quote(name)}", accepted={204, 404})

    async def start(self, user: str, server: str = "", options: Mapping[str, object] | None = None) -> None:
        """Ask for a server; it is there when `until_ready` returns."""
        wanted = self.options if options is None else options
        await self._ask("POST", _place(user, server), dict(wanted), accepted={201, 202})

    async def stop(self, user: str, server: str = "") -> None:
        """Ask for the end of a server; a start that is under way is given up."""
        await self._ask("DELETE", _place(user, server), accepted={202, 204, 400, 404})

    async def servers(self, user: str) -> dict[str, dict[str, Any]]:
        """The user's servers by name."""
        told = await self._ask("GET", f"users/{quote(user)}?include_stopped_servers", accepted={200})
        return dict(told["servers"])

    async def until(self, user: str, condition: Callable[[dict[str, dict[str, Any]]], bool]) -> None:
        """Wait until the user's servers are as wanted.

        Raises:
            TimeoutError: they were not within five minutes.
        """
        end = time.monotonic() + _PATIENCE
        while not condition(await self.servers(user)):
            if time.monotonic() > end:
                raise TimeoutError(f"{self.name}: the servers of {user} are not as they should be")
            await asyncio.sleep(1)

    async def _ask(self, method: str, path: str, body: object = None, *, accepted: set[int]) -> Any:
        headers = {"Authorization": f"token {self.token}"}
        async with (
            aiohttp.ClientSession(headers=headers, timeout=aiohttp.ClientTimeout(total=_PATIENCE)) as http,
            http.request(method, f"{self.url}hub/api/{path}", json=body) as answer,
        ):
            if answer.status not in accepted:
                raise AnsweredOtherwise(
                    f"{self.name}: {method} {path}: {answer.status} {await answer.text()}"
                )
            return await answer.json() if answer.content_type == "application/json" else None


def _place(user: str, server: str) -> str:
    return f"users/{quote(user)}/" + (f"servers/{quote(server)}" if server else "server")


async def together(
    works: Iterable[Coroutine[Any, Any, _Result]], *, at_once: int | None = None
) -> list[_Result]:
    """Do all of it, `at_once` at a time; when one fails the others are given up, and its error is raised."""
    works = list(works)
    turns = asyncio.Semaphore(at_once or len(works) or 1)

    async def in_turn(work: Coroutine[Any, Any, _Result]) -> _Result:
        try:
            async with turns:
                return await work
        finally:
            work.close()

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(in_turn(work)) for work in works]
    except BaseExceptionGroup as several:
        raise several.exceptions[0] from None
    return [task.result() for task in tasks]
