"""Asks the helper (`act.py`) to do something as a user."""

import asyncio
import json
import os
import pwd
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from skiva_slurm.errors import Refused, SlurmUnanswered
from skiva_slurm.refusal import refusal, submitted
from skiva_slurm.rights import Rights, Rules, parse_rights
from skiva_slurm.runner import run
from skiva_spawners.errors import ActingFailed

_ASK = "Ask the operators of this cluster."
_CLOSED = ("Permission denied", "Read-only file system")


@dataclass(frozen=True)
class Actor:
    """Acts as other accounts through one small helper.

    `helper` is its command line with `{user}` in it; without that word the helper runs as
    the hub's own account, which then is the only one that the hub can serve.
    """

    helper: Sequence[str]
    timeout: float = 30.0
    _turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(16))
    _own_turns: defaultdict[str, asyncio.Semaphore] = field(
        default_factory=lambda: defaultdict(lambda: asyncio.Semaphore(4))
    )
    """Of each account: people can stop their helpers, and so would take everybody's turns."""

    async def submit(self, account: str, *, nonce: str, options: list[str], script: str, server: str) -> int:
        """Hand a job to Slurm; the job id.

        Raises:
            Refused: Slurm (or the account's disk) said no; the sentence is for the user.
            SlurmUnanswered: nobody knows whether the job was accepted.
        """
        answer = await self._ask(
            account,
            {"action": "submit", "nonce": nonce, "options": options, "script": script, "server": server},
        )
        if "submitted" not in answer:
            raise ActingFailed("The helper did not say what became of the submission.")
        return submitted(*answer["submitted"])

    async def cancel(self, account: str, job_id: int) -> None:
        """End a job.

        Raises:
            SlurmUnanswered, Refused: it may still run.
        """
        answer = await self._ask(account, {"action": "cancel", "job_id": job_id})
        if "cancelled" not in answer:
            raise Refused(refusal(answer.get("refused", "")))

    async def shown(self, account: str, job_id: int) -> str:
        """The state of a job as Slurm shows it to its owner; empty where it tells them that there is none.

        Raises:
            SlurmUnanswered, ActingFailed: nobody knows.
        """
        answer = await self._ask(account, {"action": "shown", "job_id": job_id})
        if not isinstance(answer.get("shown"), str):
            raise ActingFailed("The helper did not say how the job is.")
        return str(answer["shown"])[:40]

    async def rights(self, account: str, rules: Rules) -> Rights:
        """What Slurm tells an account of what it may use.

        Raises:
            SlurmUnanswered, ActingFailed: it told nothing.
        """
        answer = await self._ask(account, {"action": "rights"})
        try:
            return parse_rights(
                str(answer["rights"]),
                str(answer["limits"]),
                rules,
                int(answer["uid"]),
                [str(name) for name in answer["groups"]],
            )
        except (KeyError, TypeError, ValueError):
            raise ActingFailed("The helper did not say what Slurm allows.") from None

    async def extend(self, operator: str, job_id: int, minutes: int) -> None:
        """Set a job's time limit, as a Slurm operator.

        Raises:
            Refused, SlurmUnanswered: the limit is as it was.
        """
        answer = await self._ask(operator, {"action": "extend", "job_id": job_id, "minutes": minutes})
        if "extended" not in answer:
            raise Refused(refusal(answer.get("refused", "")))

    async def log_tail(self, account: str, nonce: str, lines: int = 12) -> tuple[str, ...]:
        """The last lines of a session's log; nothing where it cannot be read."""
        try:
            answer = await self._ask(account, {"action": "log", "nonce": nonce})
        except (ActingFailed, SlurmUnanswered):
            return ()
        return tuple(answer.get("log", "").splitlines()[-lines:])

    async def forget(self, account: str, nonce: str, *, with_log: bool = False) -> None:
        """Remove the secrets of a session that has ended; its log stays for its owner unless that goes too.

        Raises:
            ActingFailed, SlurmUnanswered: they are still there; they are worthless by then.
        """
        await self._ask(
            account, {"action": "forget", "nonce": nonce} | ({"with_log": True} if with_log else {})
        )

    def _argv(self, account: str) -> list[str]:
        myself = pwd.getpwuid(os.getuid()).pw_name
        if account != myself and not any("{user}" in part for part in self.helper):
            raise ActingFailed(f"This hub serves {myself} alone.")
        return [part.replace("{user}", account) for part in self.helper]

    async def _ask(self, account: str, request: dict[str, Any]) -> dict[str, Any]:
        # A helper runs as somebody else, so it cannot be killed; whoever is cancelled need not wait for it.
        asking = asyncio.ensure_future(self._answer(account, request))
        asking.add_done_callback(lambda done: done.cancelled() or done.exception())
        return await asyncio.shield(asking)

    async def _answer(self, account: str, request: dict[str, Any]) -> dict[str, Any]:
        argv = self._argv(account)
        async with self._own_turns[account], self._turns:
            done = await run(
                argv, env=dict(os.environ), stdin=json.dumps(request).encode(), timeout=self.timeout
            )
        try:
            answer = json.loads(done.stdout)
        except ValueError:
            raise ActingFailed(_mute(account, _first_line(done.stderr))) from None
        if "unanswered" in answer:
            raise SlurmUnanswered(answer["unanswered"])
        if "error" in answer:
            raise ActingFailed(_for_people(answer["error"]))
        return dict(answer)


def _first_line(text: str | bytes) -> str:
    decoded = text.decode(errors="replace") if isinstance(text, bytes) else text
    return next((line for line in decoded.splitlines() if line.strip()), "the helper said nothing")[:200]


def _mute(account: str, said: str) -> str:
    """What it means for people that the helper gave no answer."""
    if said.startswith(("sudo: ", "Sorry, user ")):
        return (
            f"{account} may not use this hub yet: ask the operators of this cluster to add you to the people "
            f"whom its sudoers line names. ({said})"
        )
    return f"The hub cannot act as {account}: {said.rstrip('.')}. {_ASK}"


def _for_people(error: str) -> str:
    if error.startswith("No home directory ("):
        home = error.partition("(")[2].removesuffix(")")
        return (
            f"Your home directory {home} is not on the hub's machine, so no session can start: ask the "
            "operators of this cluster to make it, or sign in to the cluster once if that makes it."
        )
    if error.startswith(("No space left", "Disk quota exceeded")):
        return "Your home directory is full, so no session can start: remove files, or ask for more space."
    cure = "Make that place writable for yourself, or ask the operators of this cluster."
    return f"Your session could not be prepared: {error}. {cure if error.startswith(_CLOSED) else _ASK}"
