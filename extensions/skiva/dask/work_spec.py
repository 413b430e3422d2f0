"""What a worker job must know of its cluster, read in milliseconds: many jobs of one node start at once."""

import json
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

__all__ = ["WorkSpec", "memory_of", "threads_of"]

_OVERHEAD_MB = 300
"""Of each job's memory, for the processes that look after the workers; of small jobs a fifth at most."""
_MiB = 1 << 20


def threads_of(cores: int, processes: int, *, cuda: bool) -> int:
    """Of each worker: one where it has a GPU to itself, as dask-cuda does it."""
    return 1 if cuda else max(1, cores // processes)


def memory_of(memory_mb: int, processes: int) -> int:
    """Bytes of main memory that each worker may use."""
    return (memory_mb - min(_OVERHEAD_MB, memory_mb // 5)) * _MiB // processes


@dataclass(frozen=True, slots=True)
class WorkSpec:
    """The same names as `ClusterSpec`, which wrote it down and checked it, without what checks."""

    id: str
    cuda: bool
    processes: int
    hours: float
    cwd: str
    sys_path: tuple[str, ...]
    bin: str
    conf: str | None
    slice: Any
    """With `id`, `simulated`, `cores` and `memory_mb`."""
    environment: Any
    """With `launch`, a dictionary."""

    @classmethod
    def read(cls, path: Path) -> "WorkSpec":
        """From `cluster.json`. Raises OSError, ValueError or LookupError where it cannot be read."""
        told = json.loads(path.read_bytes())
        return cls(
            **{name: told[name] for name in ("id", "cuda", "processes", "hours", "cwd", "bin", "conf")},
            sys_path=tuple(told["sys_path"]),
            slice=SimpleNamespace(**told["slice"]),
            environment=SimpleNamespace(**told["environment"]),
        )

    @property
    def threads(self) -> int:
        """Of each worker."""
        return threads_of(self.slice.cores, self.processes, cuda=self.cuda)

    @property
    def memory(self) -> int:
        """Bytes of main memory that each worker may use."""
        return memory_of(self.slice.memory_mb, self.processes)

    @property
    def minutes(self) -> int:
        """How long each job may last."""
        return max(1, round(self.hours * 60))
