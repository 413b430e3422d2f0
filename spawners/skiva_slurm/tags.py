"""The marks in jobs' comments, by which they are found again.

A session's is `skiva:<hub id>:<owner key>:<nonce>`, a run's `skiva-run:<run id>`, that of a Dask
cluster's jobs `skiva-cluster:<cluster id>:<batch>:<owner>`.

Comments are chosen by whoever submits: a tag is a claim, to be believed only together with the job's
user as Slurm states it.
"""

import re
from dataclasses import dataclass
from typing import Self

__all__ = ["RUN_ID", "ClusterTag", "RunTag", "Tag"]

_HUB = re.compile(r"[a-z0-9]{1,16}")
_NONCE = re.compile(r"[A-Za-z0-9]{8,64}")
_PLAIN = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-")
_ESCAPED = re.compile(r"(?:[A-Za-z0-9.-]|_[0-9a-f]{2})*")
_ESCAPE = re.compile(rb"_([0-9a-f]{2})")
_MAX_LENGTH = 1000
_NUMBER = re.compile(r"0|[1-9][0-9]{0,9}")
RUN_ID = re.compile(r"[0-9]{6}-[0-9a-z]{8}")
"""A run's id: the day (UTC) on which it was made, and letters and digits by chance."""


@dataclass(frozen=True, slots=True)
class Tag:
    """Hub, user, server name and nonce of one start of one server.

    Raises:
        ValueError: the hub's id or the nonce has another form, there is no user, or the whole is too long.
    """

    hub: str
    user: str
    server: str
    """Empty for a user's default server."""
    nonce: str

    def __post_init__(self) -> None:
        if not _HUB.fullmatch(self.hub):
            raise ValueError("hub: must be 1 to 16 lower-case letters or digits")
        if not _NONCE.fullmatch(self.nonce):
            raise ValueError("nonce: must be 8 to 64 letters or digits")
        if not self.user:
            raise ValueError("user: must not be empty")
        if len(self.text) > _MAX_LENGTH:
            raise ValueError("user: this name and the server's are too long to mark a job with")

    @property
    def owner(self) -> str:
        """The key of user and server; two different pairs never share one."""
        return f"{_escape(self.user)}/{_escape(self.server)}"

    @property
    def text(self) -> str:
        """What goes into the job's comment: letters, digits and `:/._-` only."""
        return f"skiva:{self.hub}:{self.owner}:{self.nonce}"

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """The tag that `text` spells, or None where it is anything else, even nearly a tag."""
        match text.split(":"):
            case ["skiva", hub, owner, nonce] if owner.count("/") == 1:
                user, server = map(_unescape, owner.split("/"))
            case _:
                return None
        if user is None or server is None:
            return None
        try:
            tag = cls(hub, user, server, nonce)
        except ValueError:
            return None
        return tag if tag.text == text else None


def _escape(name: str) -> str:
    data = name.encode(errors="surrogatepass")
    return "".join(chr(byte) if byte in _PLAIN else f"_{byte:02x}" for byte in data)


def _unescape(text: str) -> str | None:
    if not _ESCAPED.fullmatch(text):
        return None
    data = _ESCAPE.sub(lambda found: bytes([int(found[1], 16)]), text.encode())
    try:
        return data.decode(errors="surrogatepass")
    except UnicodeDecodeError:
        return None


@dataclass(frozen=True, slots=True)
class RunTag:
    """The id of a run that was handed to the queue; all jobs of an array carry the same.

    Raises:
        ValueError: it is no run's id.
    """

    run: str

    def __post_init__(self) -> None:
        if not RUN_ID.fullmatch(self.run):
            raise ValueError("run: must be an id such as 261122-k3f9ta2x")

    @property
    def text(self) -> str:
        """What goes into the job's comment."""
        return f"skiva-run:{self.run}"

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """The tag that `text` spells, or None where it is anything else."""
        kind, _, run = text.partition(":")
        return cls(run) if kind == "skiva-run" and RUN_ID.fullmatch(run) else None


@dataclass(frozen=True, slots=True)
class ClusterTag:
    """What a job of a Dask cluster is there for, and in which job its scheduler lives.

    Raises:
        ValueError: the cluster's id has another form, or a number is not one.
    """

    cluster: str
    """An id of the same form as a run's."""
    batch: int
    """Which submission of workers it came with, from 1; 0 is a scheduler's own job."""
    owner: int = 0
    """The job without which it is of no use to anybody: its scheduler's. 0 where that is in no job."""

    def __post_init__(self) -> None:
        if not RUN_ID.fullmatch(self.cluster):
            raise ValueError("cluster: must be an id such as 261122-k3f9ta2x")
        for name, number in (("batch", self.batch), ("owner", self.owner)):
            if not 0 <= number < 10**10:
                raise ValueError(f"{name}: must be a number from 0 to 9999999999")

    @property
    def text(self) -> str:
        """What goes into the job's comment."""
        return f"skiva-cluster:{self.cluster}:{self.batch}:{self.owner}"

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """The tag that `text` spells, or None where it is anything else."""
        match text.split(":"):
            case ["skiva-cluster", cluster, batch, owner] if RUN_ID.fullmatch(cluster):
                if _NUMBER.fullmatch(batch) and _NUMBER.fullmatch(owner):
                    return cls(cluster, int(batch), int(owner))
        return None
