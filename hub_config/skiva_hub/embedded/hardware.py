"""The NVIDIA GPUs of this machine, from what nvidia-smi and the driver print.

Reading them is `inspect()`; everything else turns text into values.
"""

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from subprocess import DEVNULL, PIPE, SubprocessError, run

_GPU = re.compile(r"GPU (\d+): (.+?) \(UUID: ([^)]*)\)\s*")
_MIG = re.compile(r"\s+MIG \S+\s+Device\s+\d+: \(UUID: [^)]*\)\s*")
_INSTANCE = re.compile(r"\|\s+(\d+)\s+MIG (\S+)\s+\d+\s+(\d+)\s+\d+:\d+\s+\|\s*")
_CAPABILITY = re.compile(r"gpu(\d+)/gi(\d+)(?:/ci(\d+))?/access (\d+)\s*")
_INFORMATION = re.compile(r"GPU UUID:\s*(\S+).*Device Minor:\s*(\d+)", re.DOTALL)
_MARKETING = {"nvidia", "tesla", "geforce", "quadro", "rtx", "gtx", "graphics", "device", "titan"}


@dataclass(frozen=True, slots=True)
class MigInstance:
    """A MIG instance: its profile, e.g. `1g.10gb`, and the two device files that open it."""

    profile: str
    caps: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU of the machine; with `instances` it is cut into MIG instances.

    `minor` is the number of its device file, which need not be its number in nvidia-smi.
    """

    minor: int
    name: str
    instances: tuple[MigInstance, ...] = ()

    @property
    def device(self) -> Path:
        """The GPU's own device file."""
        return Path(f"/dev/nvidia{self.minor}")

    @property
    def type(self) -> str:
        """The name in Slurm: the model in small letters, e.g. `h100`."""
        words = re.findall(r"[a-z0-9]+", self.name.lower())
        return next((word for word in words if word not in _MARKETING), "gpu")


@dataclass(frozen=True, slots=True)
class Machine:
    """What the machine really has."""

    cores: int
    memory_mb: int
    gpus: tuple[Gpu, ...] = ()


def parse_gpus(
    listing: str, *, information: Iterable[str] = (), instances: str = "", capabilities: str = ""
) -> tuple[Gpu, ...]:
    """The GPUs of `nvidia-smi -L`.

    Args:
        listing: the output of `nvidia-smi -L`.
        information: the texts of /proc/driver/nvidia/gpus/*/information.
        instances: the output of `nvidia-smi mig -lgi`.
        capabilities: the text of /proc/driver/nvidia-caps/mig-minors.

    Raises:
        ValueError: a GPU has MIG instances whose device files cannot be told.
    """
    minors = {match[1]: int(match[2]) for text in information if (match := _INFORMATION.search(text))}
    caps = _capability_files(capabilities)
    found: list[Gpu] = []
    for section in re.split(r"^(?=GPU \d)", listing, flags=re.MULTILINE):
        first, *rest = section.splitlines() or [""]
        if not (match := _GPU.fullmatch(first)):
            continue
        minor = minors.get(match[3], int(match[1]))
        pieces = _instances(int(match[1]), minor, instances, caps)
        shown = sum(1 for line in rest if _MIG.fullmatch(line))
        if len(pieces) != shown:
            raise ValueError(
                f"GPU {match[1]} has {shown} MIG devices, but {len(pieces)} GPU instances with one compute "
                "instance and device files of their own; give each GPU instance one compute instance "
                "(nvidia-smi mig -cgi PROFILES -C)."
            )
        found.append(Gpu(minor, match[2], pieces))
    return tuple(found)


def _instances(
    index: int, minor: int, listing: str, caps: dict[tuple[int, int], tuple[Path, ...]]
) -> tuple[MigInstance, ...]:
    rows = (match for line in listing.splitlines() if (match := _INSTANCE.fullmatch(line)))
    return tuple(
        MigInstance(row[2], caps[minor, int(row[3])])
        for row in rows
        if int(row[1]) == index and (minor, int(row[3])) in caps
    )


def _capability_files(text: str) -> dict[tuple[int, int], tuple[Path, ...]]:
    """(GPU, GPU instance) -> the files of the instance and of its only compute instance."""
    parts: dict[tuple[int, int], dict[str, int]] = {}
    for match in filter(None, map(_CAPABILITY.fullmatch, text.splitlines())):
        part = "gi" if match[3] is None else f"ci{match[3]}"
        parts.setdefault((int(match[1]), int(match[2])), {})[part] = int(match[4])
    return {
        where: tuple(Path(f"/dev/nvidia-caps/nvidia-cap{found[part]}") for part in ("gi", "ci0"))
        for where, found in parts.items()
        if {"gi", "ci0"} <= found.keys()
    }


def inspect() -> Machine:
    """What this machine has; no GPUs where nvidia-smi is missing or finds none.

    Raises:
        ValueError: MIG instances whose device files cannot be told.
    """
    driver = Path("/proc/driver")
    minors = driver / "nvidia-caps" / "mig-minors"
    listing = _nvidia_smi("-L")
    gpus = parse_gpus(
        listing,
        information=[path.read_text() for path in driver.glob("nvidia/gpus/*/information")],
        instances=_nvidia_smi("mig", "-lgi") if "MIG" in listing else "",
        capabilities=minors.read_text() if minors.exists() else "",
    )
    memory_mb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
    return Machine(os.cpu_count() or 1, memory_mb * 9 // 10, gpus)


def _nvidia_smi(*arguments: str) -> str:
    command = ["nvidia-smi", *arguments]
    try:
        done = run(command, stdin=DEVNULL, stdout=PIPE, stderr=DEVNULL, timeout=30, check=False)
    except (OSError, SubprocessError):
        return ""
    return done.stdout.decode(errors="replace") if done.returncode == 0 else ""
