"""Where a cluster's files are. Each has one writer."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from skiva.runs.files import read_json, write_json, write_whole
from skiva.runs.ids import is_run_id
from skiva.runs.paths import own_place

if TYPE_CHECKING:
    from skiva.dask.spec import ClusterSpec

__all__ = ["ClusterDir", "clusters_dir"]


def clusters_dir(environ: Mapping[str, str] | None = None) -> Path:
    """The directory of this person's clusters: `$SKIVA_CLUSTERS` or `~/.local/state/skiva/clusters`."""
    known = os.environ if environ is None else environ
    return Path.home() / (known.get("SKIVA_CLUSTERS") or ".local/state/skiva/clusters")


@dataclass(frozen=True, slots=True)
class ClusterDir:
    """One cluster's directory."""

    path: Path

    @classmethod
    def of(cls, root: Path, cluster: str) -> "ClusterDir":
        """The directory of the cluster with this id. Raises ValueError where that is no id."""
        if not is_run_id(cluster):
            raise ValueError(f"cluster: {cluster[:40]!r} is no cluster's id, such as 261122-k3f9ta2x")
        return cls(root / cluster)

    @classmethod
    def make(cls, root: Path, spec: "ClusterSpec", variables: Mapping[str, str]) -> "ClusterDir":
        """A new one, complete but for its keys.

        Raises:
            NotYours: others could write into `root`.
            OSError: it could not be written.
        """
        place = cls(own_place(root) / spec.id)
        for folder in (place.path, place.path / "batches", place.path / "log", place.path / "tls"):
            folder.mkdir(mode=0o700)
        write_json(place.env, variables, sync=False)
        write_whole(place.spec, spec.model_dump_json(indent=1).encode())
        return place

    @property
    def id(self) -> str:
        """The cluster's id."""
        return self.path.name

    def read_spec(self) -> "ClusterSpec":
        """What the cluster is. Raises OSError or ValueError where it cannot be read."""
        from skiva.dask.spec import ClusterSpec  # worker jobs do without it, and start the sooner

        return ClusterSpec.model_validate_json(self.spec.read_bytes())

    def read(self, path: Path) -> dict[str, Any] | None:
        """The JSON object in one of its files; None where it is not there."""
        return read_json(path)

    # Written by whoever made the cluster.
    @property
    def spec(self) -> Path:
        return self.path / "cluster.json"

    @property
    def env(self) -> Path:
        """The variables of its workers; may hold secrets that its owner named."""
        return self.path / "env.json"

    # Written by the process in which the scheduler lives.
    @property
    def certificate(self) -> Path:
        return self.path / "tls" / "cert.pem"

    @property
    def key(self) -> Path:
        return self.path / "tls" / "key.pem"

    @property
    def scheduler(self) -> Path:
        """Where the scheduler listens."""
        return self.path / "scheduler.json"

    @property
    def status(self) -> Path:
        return self.path / "status.json"

    def batch(self, number: int) -> Path:
        """Which workers one submission is for."""
        return self.path / "batches" / f"{number}.json"

    def submitted(self, number: int) -> Path:
        """What Slurm was asked, and the array's number."""
        return self.path / "batches" / f"{number}.submitted.json"

    def refused(self, number: int) -> Path:
        """Why Slurm did not take it."""
        return self.path / "batches" / f"{number}.refused.json"

    # Written by Slurm and by the jobs.
    @property
    def scheduler_log(self) -> Path:
        """What a detached scheduler printed."""
        return self.path / "scheduler.log"

    def logs(self, batch: int) -> Path:
        """The directory of the logs of one submission."""
        return self.path / "log" / str(batch)

    def log(self, batch: int, task: int) -> Path:
        """What one job printed."""
        return self.logs(batch) / f"{task}.log"

    def start(self, batch: int, task: int) -> Path:
        """When and where one job began, as it says itself."""
        return self.logs(batch) / f"{task}.start.json"

    def end(self, batch: int, task: int) -> Path:
        """How one job ended, as its own supervisor saw it."""
        return self.logs(batch) / f"{task}.end.json"

    # Written by the first that ends it.
    @property
    def closed(self) -> Path:
        return self.path / "closed.json"
