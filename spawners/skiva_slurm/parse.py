"""From what squeue and scontrol print to jobs and nodes. Pure, in linear time.

A job's comment and name are whatever their owner liked, line breaks and separators included, and squeue
prints them as they are. So every query makes up a word that nobody can know in advance: squeue puts it
after each job's number and at the end of each row, and only there does a row begin or end. squeue is told
the word by its environment: its arguments could be read by everybody on the machine. The comment comes
last, so that a separator in it cannot shift another field. squeue's heading is framed the same way;
without it an answer is not whole. What one reading costs slurmctld is in `skiva_slurm.reader`.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType

from skiva_slurm.errors import Unreadable
from skiva_slurm.gres import parse_gres, parse_sharded
from skiva_slurm.hostlist import expand
from skiva_slurm.jobs import Array, Job, Node
from skiva_slurm.states import node_states
from skiva_slurm.tags import ClusterTag, RunTag, Tag

__all__ = ["JOB_QUERY", "NODE_QUERY", "QUERY_ENVIRONMENT", "JobRows", "job_format", "parse_nodes"]

QUERY_ENVIRONMENT: Mapping[str, str] = MappingProxyType(
    {"SLURM_TIME_FORMAT": "%s", "SLURM_BITSTR_LEN": "0", "LC_ALL": "C.UTF-8"}
)
"""What the queries need in their environment: times as seconds since the epoch, lists of tasks whole."""

JOB_QUERY = ("--local", "--all", "--states=all", "--sort=i")
"""The arguments of squeue for all jobs, ended ones too as long as slurmctld remembers them."""

NODE_QUERY = ("-a", "-o", "-d", "show", "node")
"""The arguments of scontrol for all nodes, a line each, with the gres in use."""

_SEPARATOR = "\x1f"
_NONCE = re.compile(r"[A-Za-z]{12,64}")
_FIELDS = (
    "jobid",
    "username",
    "state",
    "partition",
    "nodelist",
    "tres-per-node",
    "tres-per-job",
    "submittime",
    "starttime",
    "endtime",
    "prioritylong",
    "restartcnt",
    "exit_code",
    "arrayjobid",
    "arraytaskid",
    "reason",
    "comment",
)
_MAX_COMMENT = 1001
_MAX_ROW = 64 * 1024
"""Bytes. What a job's owner chooses is bounded by Slurm at about 1 KiB for each field; its nodes are more."""
_MAX_TASKS = 1000
_NOTHING = frozenset({"", "(null)", "N/A", "n/a", "None", "Unknown", "NONE"})


def job_format(nonce: str) -> str:
    """What squeue is to print of each job, for its variable `SQUEUE_FORMAT2`.

    Raises:
        ValueError: the nonce is not 12 to 64 letters (a digit would be read as a width).
    """
    if not _NONCE.fullmatch(nonce):
        raise ValueError("nonce: must be 12 to 64 letters")
    ends = [_SEPARATOR] * len(_FIELDS)
    ends[0] = f"{_SEPARATOR}{nonce}{_SEPARATOR}"
    ends[-1] = f"{_SEPARATOR}{nonce}"
    return ",".join(f"{name}:{end}" for name, end in zip(_FIELDS, ends, strict=True))


class JobRows:
    """Reads squeue's answer to `job_format(nonce)` in pieces; each row is bounded, their number is not.

    Args:
        known: the `rows` of an earlier answer: one that is as it was then is not read again.
    """

    def __init__(self, nonce: str, known: Mapping[str, Job] = MappingProxyType({})) -> None:
        self.rows: dict[str, Job] = {}
        """Each job by its row, without what frames it."""
        self._known = known
        self._frame = f"{_SEPARATOR}{nonce}{_SEPARATOR}"
        self._end = f"{_SEPARATOR}{nonce}\n".encode()
        self._rest = b""
        self._heading: list[str] | None = None
        self._jobs: dict[int, Job] = {}

    def feed(self, piece: bytes) -> None:
        """Read on.

        Raises:
            Unreadable: there is no heading, a row is not framed as asked, or a job comes twice.
        """
        *rows, self._rest = (self._rest + piece).split(self._end)
        for row in rows:
            self._row(row.decode("utf-8", "replace"))
        if len(self._rest) > _MAX_ROW:
            raise Unreadable(f"a row of squeue's answer is longer than {_MAX_ROW} bytes")

    def jobs(self) -> dict[int, Job]:
        """The jobs of the whole answer, by number.

        Raises:
            Unreadable: the answer is empty or cut off.
        """
        if self._heading is None:
            raise Unreadable("squeue's answer is empty or not in the form that was asked for")
        if self._rest:
            raise Unreadable("squeue's answer is cut off")
        return self._jobs

    def _row(self, text: str) -> None:
        number, frame, rest = text.partition(self._frame)
        row = f"{number}{_SEPARATOR}{rest}"
        fields = row.split(_SEPARATOR, len(_FIELDS) - 1)
        if not frame or _SEPARATOR in number or len(fields) != len(_FIELDS):
            raise Unreadable("a row of squeue's answer is garbled")
        if self._heading is None:
            if number != "JOBID":
                raise Unreadable("squeue's answer does not begin with its heading")
            self._heading = fields
            return
        job = self._known.get(row) or _job(fields)
        if job.id in self._jobs:
            raise Unreadable(f"squeue's answer tells of job {job.id} twice")
        self._jobs[job.id] = self.rows[row] = job


def _job(fields: list[str]) -> Job:
    row = dict(zip(_FIELDS, fields, strict=True))
    if not re.fullmatch(r"[0-9]{1,10}", row["jobid"]):
        raise Unreadable("a row of squeue's answer does not begin with a job's number")
    return Job(
        id=int(row["jobid"]),
        user=row["username"],
        state=row["state"],
        reason="" if row["reason"] in _NOTHING else row["reason"][:1000],
        partition=row["partition"],
        nodes=_nodes(row["nodelist"]),
        gres=parse_gres(row["tres-per-node"]) or parse_gres(row["tres-per-job"]),
        submitted=_time(row["submittime"]),
        start=_time(row["starttime"]),
        end=_time(row["endtime"]),
        priority=_number(row["prioritylong"]),
        restarts=_number(row["restartcnt"]),
        exit_code=_exit_code(row["exit_code"]),
        tag=_tag(row["comment"]),
        array=_array(row),
    )


def _nodes(text: str) -> tuple[str, ...]:
    try:
        return expand(text)
    except Unreadable:
        return ()


def _array(row: dict[str, str]) -> Array | None:
    if row["arraytaskid"] in _NOTHING or not _number(row["arrayjobid"]):
        return None
    return Array(_number(row["arrayjobid"]), _tasks(row["arraytaskid"]))


def _tasks(text: str) -> str:
    """The list of tasks, cut between two of them where it is very long, as Slurm itself cuts one."""
    listed, percent, limit = text.partition("%")
    if len(listed) <= _MAX_TASKS:
        return text[: 2 * _MAX_TASKS]
    return f"{listed[:_MAX_TASKS].rpartition(',')[0]},...{percent}{limit[:20]}"


def _tag(comment: str) -> str:
    text = comment[:_MAX_COMMENT]
    return text if any(kind.parse(text) for kind in (Tag, RunTag, ClusterTag)) else ""


def _time(text: str) -> float | None:
    return float(text) if re.fullmatch(r"[0-9]{1,12}", text) else None


def _number(text: str) -> int:
    return int(text) if re.fullmatch(r"[0-9]{1,20}", text) else 0


def _exit_code(text: str) -> str:
    """`code:signal`, which squeue prints as the bare status of wait(2)."""
    if re.fullmatch(r"[0-9]{1,9}", text):
        return f"{int(text) >> 8}:{int(text) & 0x7F}"
    return text if re.fullmatch(r"[0-9]{1,5}:[0-9]{1,5}", text) else ""


_PAIR = re.compile(r"(?:^| )([A-Za-z_]+)=(\S*)")
_NO_NODES = "No nodes in the system"


def parse_nodes(text: str) -> dict[str, Node]:
    """The nodes in scontrol's answer to `NODE_QUERY`, by name.

    Raises:
        Unreadable: there is no node without scontrol saying so, a line is garbled, or the last is cut off.
    """
    if text.strip() == _NO_NODES:
        return {}
    if not text.startswith("NodeName=") or not text.endswith("\n"):
        raise Unreadable("scontrol's list of nodes is empty, garbled or cut off")
    # A line that is no node's goes on with what an operator wrote about the one before.
    nodes = [_node(line) for line in text.split("\n") if line.startswith("NodeName=")]
    return {node.name: node for node in nodes}


def _node(line: str) -> Node:
    pairs: dict[str, str] = {}
    for key, value in _PAIR.findall(line[:65536]):
        pairs.setdefault(key, "" if value in _NOTHING else value)
    if not pairs.get("NodeName") or not pairs.get("State") or not pairs.get("CPUTot"):
        raise Unreadable("a line of scontrol's list of nodes is garbled")
    return Node(
        name=pairs["NodeName"],
        address=pairs.get("NodeAddr") or pairs["NodeName"],
        states=node_states(pairs["State"]),
        partitions=tuple(filter(None, pairs.get("Partitions", "").split(","))),
        features=frozenset(filter(None, pairs.get("AvailableFeatures", "").split(","))),
        gres=parse_gres(pairs.get("Gres", "")),
        gres_used=parse_gres(pairs.get("GresUsed", "")),
        gres_sharded=parse_sharded(pairs.get("GresUsed", "")),
        cores=_number(pairs.get("CPUEfctv") or pairs["CPUTot"]),
        cores_used=_number(pairs.get("CPUAlloc", "")),
        memory_mb=max(0, _number(pairs.get("RealMemory", "")) - _number(pairs.get("MemSpecLimit", ""))),
        memory_used_mb=_number(pairs.get("AllocMem", "")),
        reason=line.partition(" Reason=")[2].strip()[:1000],
    )
