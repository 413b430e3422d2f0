"""The NVIDIA GPUs of this machine, from what nvidia-smi and the driver print.

Reading them is `inspect()`; everything else turns text into values.
"""

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import DEVNULL, PIPE, SubprocessError, run

_GPU = re.compile(r"GPU (\d+): (.+?) \(UUID: [^)]*\)\s*\Z")
_MIG = re.compile(r"\s+MIG (\S+)\s+Device\s+\d+: \(UUID: [^)]*\)\s*\Z")
_INSTANCE = re.compile(r"\|\s+(\d+)\s+MIG (\S+)\s+\d+\s+(\d+)\s+\d+:\d+\s+\|\s*\Z")
_MINOR = re.compile(r"gpu(\d+)/gi(\d+)(?:/ci(\d+))?/access (\d+)\s*\Z")
_MARKETING = {"nvidia", "tesla", "geforce", "quadro", "rtx", "gtx", "graphics", "device", "titan"}


@dataclass(frozen=True, slots=True)
class MigInstance:
    """A MIG instance: its profile, e.g. `1g.10gb`, and the two device files that open it."""

    profile: str
    caps: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU of the machine; with `instances` it is cut into MIG instances."""

    index: int
    name: str
    instances: tuple[MigInstance, ...] = ()

    @property
    def device(self) -> Path:
        """The GPU's own device file."""
        return Path(f"/dev/nvidia{self.index}")

    @property
    def type(self) -> str:
        """The name in Slurm: the model in small letters, e.g. `h100`."""
        words = re.findall(r"[a-z0-9]+", self.name.lower())
        model = [w for w in words if w not in _MARKETING]
        return model[0] if model else "gpu"


@dataclass(frozen=True, slots=True)
class Machine:
    """What the machine really has."""

    cores: int
    memory_mb: int
    gpus: tuple[Gpu, ...] = field(default=())


def parse_gpus(listing: str, instances: str = "", minors: str = "") -> tuple[Gpu, ...]:
    """The GPUs of `nvidia-smi -L`.

    Args:
        listing: the output of `nvidia-smi -L`.
        instances: the output of `nvidia-smi mig -lgi`.
        minors: the text of /proc/driver/nvidia-caps/mig-minors.

    Raises:
        ValueError: a GPU has MIG instances whose device files cannot be told.
    """
    caps = _capability_minors(minors)
    by_gpu: dict[int, list[MigInstance]] = {}
    for line in instances.splitlines():
        if (match := _INSTANCE.match(line)) and (files := caps.get((int(match[1]), int(match[3])))):
            by_gpu.setdefault(int(match[1]), []).append(MigInstance(match[2], files))
    found: list[Gpu] = []
    mig_lines: dict[int, int] = {}
    for line in listing.splitlines():
        if match := _GPU.match(line):
            index = int(match[1])
            found.append(Gpu(index, match[2], tuple(by_gpu.get(index, ()))))
        elif _MIG.match(line) and found:
            mig_lines[found[-1].index] = mig_lines.get(found[-1].index, 0) + 1
    for gpu in found:
        if len(gpu.instances) != mig_lines.get(gpu.index, 0):
            raise ValueError(
                f"GPU {gpu.index} lists {mig_lines.get(gpu.index, 0)} MIG instances, of which "
                f"{len(gpu.instances)} have one compute instance and device files of their own; "
                "give each GPU instance one compute instance (nvidia-smi mig -cgi … -C)"
            )
    return tuple(found)


def _capability_minors(text: str) -> dict[tuple[int, int], tuple[Path, ...]]:
    """(gpu, GPU instance) -> the files of the instance and of its only compute instance."""
    parts: dict[tuple[int, int], dict[str, int]] = {}
    for line in text.splitlines():
        if match := _MINOR.match(line):
            key = "gi" if match[3] is None else f"ci{match[3]}"
            parts.setdefault((int(match[1]), int(match[2])), {})[key] = int(match[4])
    return {
        where: tuple(Path(f"/dev/nvidia-caps/nvidia-cap{minor}") for minor in (found["gi"], found["ci0"]))
        for where, found in parts.items()
        if {"gi", "ci0"} <= found.keys()
    }


def inspect() -> Machine:
    """What this machine has; no GPUs where nvidia-smi is missing or finds none.

    Raises:
        ValueError: MIG instances whose device files cannot be told.
    """
    minors = Path("/proc/driver/nvidia-caps/mig-minors")
    listing = _nvidia_smi("-L")
    gpus = parse_gpus(
        listing,
        _nvidia_smi("mig", "-lgi") if "MIG" in listing else "",
        minors.read_text() if minors.exists() else "",
    )
    memory_mb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
    return Machine(os.cpu_count() or 1, memory_mb * 9 // 10, gpus)


def _nvidia_smi(*arguments: str) -> str:
    try:
        done = run(
            ["nvidia-smi", *arguments], stdin=DEVNULL, stdout=PIPE, stderr=DEVNULL, timeout=30, check=False
        )
    except (OSError, SubprocessError):
        return ""
    return done.stdout.decode(errors="replace") if done.returncode == 0 else ""
