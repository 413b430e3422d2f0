"""The hub's durable memory of one session: enough to find its job again after any crash."""

import secrets
from typing import Self

from pydantic import BaseModel, ConfigDict

from skiva_spawners.lifecycle import State
from skiva_spawners.options import Choice
from skiva_spawners.report import Report


class Record(BaseModel):
    """Kept in the hub's database beside the server; written before and after every step.

    It holds one secret, the token, which is closed there (`sealing`).
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    nonce: str
    """Names the run directory and is part of the job's tag; not secret."""
    certificate: str
    """By it hub and proxy know the session's server; its key is the session's alone."""
    api_token: str
    slice: str
    environment: str
    hours: float
    account: str
    """The Linux account in which the job runs."""
    phase: State = State.SUBMITTING
    job_id: int | None = None
    restarts: int = 0
    heard: Report | None = None
    """What the job told last, so that a hub that restarts need not be told again."""
    address: str = ""
    """Of the node that told it, as Slurm gives it; never what a job says."""
    url: str = ""
    """Where its server answered last, without a path."""
    clicked: float = 0.0
    """Seconds since the epoch."""

    @classmethod
    def new(cls, choice: Choice, *, certificate: str, api_token: str, account: str, clicked: float) -> Self:
        """A record for a session that is about to be submitted."""
        return cls(
            nonce=secrets.token_hex(8),
            certificate=certificate,
            api_token=api_token,
            slice=choice.slice.id,
            environment=choice.environment.id,
            hours=choice.hours,
            account=account,
            clicked=clicked,
        )

    def but(self, **changes: object) -> Self:
        """The same record with some fields changed."""
        return self.model_copy(update=changes)
