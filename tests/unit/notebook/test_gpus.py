"""GPU use: only the session's own devices, and silence where NVML is missing or refuses."""

import sys
from types import SimpleNamespace
from typing import Any

import pynvml
import pytest

from skiva.server.gpus import Gpu, GpuReader, _load_nvml, named_devices


class NVMLError(Exception):
    """What the library raises."""


class Nvml:
    """Two whole GPUs and one that is cut into three instances, of which the last may not be opened."""

    NVMLError = NVMLError

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802
        return 3

    def nvmlDeviceGetHandleByIndex(self, index: int) -> str:  # noqa: N802
        return f"GPU-{index}"

    def nvmlDeviceGetMigMode(self, handle: str) -> tuple[int, int]:  # noqa: N802
        if handle == "GPU-0":
            raise NVMLError
        return (1, 1) if handle == "GPU-2" else (0, 0)

    def nvmlDeviceGetMaxMigDeviceCount(self, handle: str) -> int:  # noqa: N802
        return {"GPU-2": 3}[handle]

    def nvmlDeviceGetMigDeviceHandleByIndex(self, _handle: str, index: int) -> str:  # noqa: N802
        if index == 2:
            raise NVMLError
        return f"MIG-{index}"

    def nvmlDeviceGetUUID(self, handle: str) -> bytes:  # noqa: N802
        return handle.encode()

    def nvmlDeviceGetName(self, handle: str) -> str:  # noqa: N802
        return f"name of {handle}"

    def nvmlDeviceGetMemoryInfo(self, _handle: str) -> Any:  # noqa: N802
        return SimpleNamespace(used=1, total=10)

    def nvmlDeviceGetUtilizationRates(self, handle: str) -> Any:  # noqa: N802
        if handle.startswith("MIG"):
            raise NVMLError
        return SimpleNamespace(gpu=42)


@pytest.mark.parametrize(
    ("visible", "names"),
    [
        (None, ["GPU-0", "GPU-1", "MIG-0", "MIG-1"]),
        ("0,1", ["GPU-0", "GPU-1", "MIG-0", "MIG-1"]),
        ("GPU-1", ["GPU-1"]),
        ("MIG-1,GPU-0", ["GPU-0", "MIG-1"]),
    ],
)
def test_only_own_devices_are_read(visible: str | None, names: list[str]) -> None:
    """Named devices choose, numbers leave it to the job's fence, and what may not be opened is left out."""
    environ = {} if visible is None else {"CUDA_VISIBLE_DEVICES": visible}
    gpus = GpuReader(environ, Nvml).read()
    assert [gpu.name for gpu in gpus or ()] == [f"name of {name}" for name in names]


def test_an_instance_tells_its_memory_but_not_its_use() -> None:
    """NVML has no utilization for MIG instances, so none is made up."""
    assert GpuReader({"CUDA_VISIBLE_DEVICES": "MIG-0"}, Nvml).read() == (Gpu("name of MIG-0", None, 1, 10),)
    assert GpuReader({"CUDA_VISIBLE_DEVICES": "GPU-0"}, Nvml).read() == (Gpu("name of GPU-0", 42, 1, 10),)


def test_what_cannot_be_asked_hides_nothing_else() -> None:
    """A GPU or an instance that may not be opened, wherever it comes, and a memory that is not told."""

    class Partly(Nvml):
        def nvmlDeviceGetHandleByIndex(self, index: int) -> str:  # noqa: N802
            if index == 0:
                raise NVMLError
            return f"GPU-{index}"

        def nvmlDeviceGetMigDeviceHandleByIndex(self, _handle: str, index: int) -> str:  # noqa: N802
            if index == 0:
                raise NVMLError
            return f"MIG-{index}"

        def nvmlDeviceGetMemoryInfo(self, handle: str) -> Any:  # noqa: N802
            if handle == "GPU-1":
                raise NVMLError
            return SimpleNamespace(used=2, total=20)

    assert GpuReader({}, Partly).read() == (
        Gpu("name of GPU-1", 42, None, None),
        Gpu("name of MIG-1", None, 2, 20),
        Gpu("name of MIG-2", None, 2, 20),
    )


def test_no_device_and_no_library_read_as_none() -> None:
    """A CPU session, and a node without a driver, show no GPU; the library is looked for only once."""
    tries: list[int] = []
    reader = GpuReader({}, lambda: tries.append(1))
    assert reader.read() is None
    assert reader.read() is None
    assert len(tries) == 1
    assert GpuReader({"CUDA_VISIBLE_DEVICES": ""}, Nvml).read() is None


def test_the_real_library_is_asked_in_its_own_words() -> None:
    """What stands in for NVML here has no function that NVML lacks; without a driver NVML is silent."""
    asked = {name for name in vars(Nvml) if name.startswith("nvml")}
    assert {name for name in asked if not hasattr(pynvml, name)} == set()
    try:
        pynvml.nvmlInit()
        devices = pynvml.nvmlDeviceGetCount()
    except pynvml.NVMLError:
        devices = 0
    found = GpuReader({}).read() or ()
    assert bool(found) == (devices > 0)
    assert all(gpu.name and (gpu.memory_total or 0) > 0 for gpu in found)


def test_numbers_and_names_of_devices() -> None:
    """An empty list means no device, which is not the same as no list."""
    assert named_devices(None) is None
    assert named_devices("0, 1") is None
    assert named_devices("") == frozenset()
    assert named_devices("MIG-a,MIG-b") == frozenset({"MIG-a", "MIG-b"})


def test_the_library_is_loaded_where_a_driver_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """What stands for a driver says yes, says no, or the library itself is not installed."""
    monkeypatch.setattr(pynvml, "nvmlInit", lambda: None)
    assert _load_nvml() is pynvml

    def fail() -> None:
        raise pynvml.NVMLError(pynvml.NVML_ERROR_DRIVER_NOT_LOADED)

    monkeypatch.setattr(pynvml, "nvmlInit", fail)
    assert _load_nvml() is None
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert _load_nvml() is None


def test_a_library_that_fails_in_the_middle_tells_nothing_and_is_asked_again() -> None:
    """A driver that is being replaced shows no GPU for a while."""
    nvml = Nvml()
    tries: list[int] = []

    def counted() -> int:
        tries.append(1)
        if len(tries) == 1:
            raise NVMLError
        return 3

    nvml.nvmlDeviceGetCount = counted  # type: ignore[method-assign]
    reader = GpuReader({}, lambda: nvml)
    assert reader.read() is None
    assert len(reader.read() or ()) == 4
