"""The command line and the environment of a job's workers. Pure but for asking NVML about the devices."""

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from skiva.dask.place import ClusterDir
from skiva.dask.work_spec import WorkSpec

if TYPE_CHECKING:
    from skiva.dask.spec import ClusterSpec

__all__ = ["BadDevices", "command", "device_limit", "variables"]

_SPILL_AT = 0.8
"""The share of a device's memory at which a worker begins to spill: dask-cuda's own default."""
_DEATH_TIMEOUT = 60
_JOBS_OWN = re.compile(r"(SLURM|ROCR|GPU_DEVICE)_.*|CUDA_VISIBLE_DEVICES|CUDA_DEVICE_ORDER|TMPDIR|HOME|USER")
_SHELLS = re.compile("LOGNAME|SHELL")


class BadDevices(Exception):
    """The job does not have the GPUs that it was to have; the text says which it has."""


def variables(
    spec: "ClusterSpec | WorkSpec", told: Mapping[str, str], job: Mapping[str, str]
) -> dict[str, str]:
    """What the workers' processes are given: as in the kernel, but for what Slurm says in the job.

    Raises:
        BadDevices: Slurm gave the job other devices than the slice has.
    """
    env = {name: value for name, value in told.items() if not _JOBS_OWN.fullmatch(name)}
    env |= {
        name: value for name, value in job.items() if _JOBS_OWN.fullmatch(name) or _SHELLS.fullmatch(name)
    }
    env.setdefault("PATH", "/usr/local/bin:/usr/bin:/bin")
    env["PYTHONPATH"] = ":".join(place for place in spec.sys_path if ":" not in place)
    # Whatever a worker has to tell, it tells its scheduler: no pages but those of the guard, which has none.
    env["DASK_DISTRIBUTED__WORKER__HTTP__ROUTES"] = '["skiva.dask.guard"]'
    if spec.cuda:
        devices = [one for one in env.get("CUDA_VISIBLE_DEVICES", "").split(",") if one]
        if spec.slice.simulated:
            env["DASK_CUDA_TEST_DISABLE_DEVICE_SPECIFIC"] = "1"
            devices = devices or [str(number) for number in range(spec.processes)]
            env["CUDA_VISIBLE_DEVICES"] = ",".join(devices)
        if len(devices) != spec.processes:
            raise BadDevices(
                f"The slice {spec.slice.id} has {spec.processes} GPUs; Slurm gave this job {len(devices)}."
            )
    return env


def command(
    spec: "ClusterSpec | WorkSpec",
    place: ClusterDir,
    name: str,
    scheduler: str,
    host: str,
    scratch: str,
    env: Mapping[str, str],
) -> list[str]:
    """The argv of a job's workers, which listen on `host` alone and keep what they spill in `scratch`."""
    python = str(spec.environment.launch["python"])
    module = "dask_cuda.cli" if spec.cuda else "distributed.cli.dask_worker"
    options: list[Any] = [
        *("--name", name),
        *("--host", host),
        *("--nthreads", spec.threads),
        *("--memory-limit", spec.memory),
        *("--local-directory", scratch),
        *("--death-timeout", _DEATH_TIMEOUT),
        *("--tls-ca-file", place.certificate),
        *("--tls-cert", place.certificate),
        *("--tls-key", place.key),
        # It has no pages, but Dask would have it listen on every network all the same.
        *("--no-dashboard", "--dashboard-address", "127.0.0.1:0"),
    ]
    if spec.cuda:
        limit = None if spec.slice.simulated else device_limit(env["CUDA_VISIBLE_DEVICES"].split(","))
        options += ["--device-memory-limit", limit] if limit else []
    else:
        options += ["--protocol", "tls", "--nworkers", spec.processes]
    return [python, "-m", module, scheduler, *map(str, options)]


def device_limit(devices: Sequence[str], nvml: Any = None) -> int | None:
    """Bytes of a device's memory from which on a worker spills; None where NVML does not tell.

    Of a MIG instance it is a share of its own memory, never of the GPU that it is cut from.
    """
    nvml = nvml or _load_nvml()
    if nvml is None:
        return None
    try:
        nvml.nvmlInit()
        sizes = [int(nvml.nvmlDeviceGetMemoryInfo(_handle(nvml, one)).total) for one in devices]
    except nvml.NVMLError:
        return None
    return int(min(sizes) * _SPILL_AT)


def _load_nvml() -> Any:
    try:
        import pynvml
    except ImportError:
        return None
    return pynvml


def _handle(nvml: Any, device: str) -> Any:
    if device.isdigit():
        return nvml.nvmlDeviceGetHandleByIndex(int(device))
    return nvml.nvmlDeviceGetHandleByUUID(device.encode())
