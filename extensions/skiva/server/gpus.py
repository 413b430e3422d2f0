"""How busy the session's own GPUs are, asked of NVML. NVML is loaded at the first question, not before."""

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Gpu:
    """One device of the session: memory in bytes, utilization in percent; None where NVML cannot tell."""

    name: str
    utilization: int | None
    memory_used: int | None
    memory_total: int | None


def named_devices(visible: str | None) -> frozenset[str] | None:
    """The device ids in CUDA_VISIBLE_DEVICES; None where it names none and the job's fence decides.

    Slurm counts its numbers within the job, as NVML does, so numbers choose nothing further.
    """
    if visible is None:
        return None
    names = [name.strip() for name in visible.split(",") if name.strip()]
    if all(name.isdigit() for name in names):
        return None if names else frozenset()
    return frozenset(names)


class GpuReader:
    """Reads the session's devices; without NVML, or without a device, every reading is None."""

    def __init__(
        self, environ: Mapping[str, str] = os.environ, load: Callable[[], Any] | None = None
    ) -> None:
        self._environ = environ
        self._load = load or _load_nvml
        self._nvml: Any = None
        self._absent = False

    def read(self) -> tuple[Gpu, ...] | None:
        """The devices now. May take a second at its first call, so keep it off the event loop."""
        if self._nvml is None and not self._absent:
            self._nvml = self._load()
            self._absent = self._nvml is None
        if self._absent:
            return None
        chosen = named_devices(self._environ.get("CUDA_VISIBLE_DEVICES"))
        try:
            return tuple(_devices(self._nvml, chosen)) or None
        except self._nvml.NVMLError:
            return None


def _load_nvml() -> Any:
    try:
        import pynvml
    except ImportError:
        return None
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return None
    return pynvml


def _devices(nvml: Any, chosen: frozenset[str] | None) -> Iterator[Gpu]:
    for index in range(nvml.nvmlDeviceGetCount()):
        try:
            handle = nvml.nvmlDeviceGetHandleByIndex(index)
            instances = list(_instances(nvml, handle))
        except nvml.NVMLError:
            continue
        for device in instances or [handle]:
            if chosen is None or _ask(nvml.nvmlDeviceGetUUID, device, nvml) in chosen:
                yield _reading(nvml, device)


def _instances(nvml: Any, handle: Any) -> Iterator[Any]:
    """The MIG instances that this job may open; nothing where the GPU is not cut."""
    current = _ask(nvml.nvmlDeviceGetMigMode, handle, nvml)
    if not current or not current[0]:
        return
    for index in range(nvml.nvmlDeviceGetMaxMigDeviceCount(handle)):
        try:
            yield nvml.nvmlDeviceGetMigDeviceHandleByIndex(handle, index)
        except nvml.NVMLError:
            continue


def _reading(nvml: Any, device: Any) -> Gpu:
    memory = _ask(nvml.nvmlDeviceGetMemoryInfo, device, nvml)
    rates = _ask(nvml.nvmlDeviceGetUtilizationRates, device, nvml)
    name = _ask(nvml.nvmlDeviceGetName, device, nvml)
    return Gpu(
        name=name.decode() if isinstance(name, bytes) else str(name or "GPU"),
        utilization=int(rates.gpu) if rates else None,
        memory_used=int(memory.used) if memory else None,
        memory_total=int(memory.total) if memory else None,
    )


def _ask(question: Callable[[Any], Any], device: Any, nvml: Any) -> Any:
    try:
        answer = question(device)
    except nvml.NVMLError:
        return None
    return answer.decode() if isinstance(answer, bytes) else answer
