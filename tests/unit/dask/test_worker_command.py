"""What a job's workers are started with: the slice's devices and memory, and the cluster's own key."""

from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.clusters_on_disk import lay_cluster

from skiva.dask.place import ClusterDir
from skiva.dask.spec import ClusterSpec
from skiva.dask.worker_command import BadDevices, command, device_limit, variables
from skiva_slurm.offer import SliceOffer

_GB = 1 << 30
_JOB = {
    "SLURM_JOB_ID": "12",
    "PATH": "/usr/bin",
    "HOME": "/home/ann",
    "USER": "ann",
    "SESSION_TOKEN": "s3cret",
}


def _slice(**more: Any) -> SliceOffer:
    known: dict[str, Any] = {"id": "1g.10gb", "title": "", "partition": "p", "gres": "gpu:1g.10gb:1"}
    return SliceOffer(**(known | {"cores": 2, "memory_mb": 8000} | more))


@pytest.fixture
def place(tmp_path: Path) -> ClusterDir:
    """A cluster with dask-cuda's workers on one MIG instance each."""
    return lay_cluster(tmp_path / "c", slice=_slice(), cuda=True)


@pytest.fixture(scope="module")
def on_gpus(tmp_path_factory: pytest.TempPathFactory) -> ClusterSpec:
    """The same, written down once: examples only read it."""
    made = lay_cluster(tmp_path_factory.mktemp("gpus") / "c", slice=_slice(), cuda=True, keys=False)
    return made.read_spec()


def _spec(place: ClusterDir, **more: Any) -> ClusterSpec:
    return place.read_spec().model_copy(update=more)


names = st.sampled_from(
    [
        "CUDA_VISIBLE_DEVICES",
        "CUDA_DEVICE_ORDER",
        "SLURM_JOB_ID",
        "SLURM_CONF",
        "ROCR_VISIBLE_DEVICES",
        "HOME",
    ]
)


@given(told=st.dictionaries(names, st.text("0123,x", max_size=5)), devices=st.text("0123456789", min_size=1))
def test_slurm_alone_says_which_devices_a_worker_has(
    on_gpus: ClusterSpec, told: dict[str, str], devices: str
) -> None:
    """Whatever came along from the kernel, or was named by its owner: the job's own values hold."""
    env = variables(on_gpus, told | {"OMP_NUM_THREADS": "3"}, _JOB | {"CUDA_VISIBLE_DEVICES": devices})
    assert env["CUDA_VISIBLE_DEVICES"] == devices
    assert (env["SLURM_JOB_ID"], env["HOME"], env["OMP_NUM_THREADS"]) == ("12", "/home/ann", "3")
    assert not {"SLURM_CONF", "CUDA_DEVICE_ORDER", "ROCR_VISIBLE_DEVICES"} & set(env)


def test_what_the_job_happens_to_know_stays_in_the_job(place: ClusterDir) -> None:
    """Workers get what was chosen in the kernel and what Slurm says; nothing else, no secret by accident."""
    env = variables(_spec(place, sys_path=("/a", "/b:c")), {}, _JOB | {"CUDA_VISIBLE_DEVICES": "0"})
    assert "SESSION_TOKEN" not in env
    assert env["PYTHONPATH"] == "/a"
    assert env["DASK_DISTRIBUTED__WORKER__HTTP__ROUTES"] == '["skiva.dask.guard"]'


@pytest.mark.parametrize("shown", ["", "0,1", "MIG-a,MIG-b"])
def test_other_devices_than_the_slices_are_refused_in_words(place: ClusterDir, shown: str) -> None:
    """None, or more: workers do not begin on GPUs that are not theirs."""
    with pytest.raises(BadDevices, match="has 1 GPUs; Slurm gave this job"):
        variables(_spec(place), {}, _JOB | {"CUDA_VISIBLE_DEVICES": shown})


def test_simulated_slices_have_as_many_workers_as_devices(tmp_path: Path) -> None:
    """In dask-cuda's test mode, whether Slurm numbers the devices or not."""
    pair = _slice(gres="gpu:h100:2", simulated=True)
    place = lay_cluster(tmp_path / "c", slice=pair, cuda=True, processes=2)
    for shown, seen in (("", "0,1"), ("2,3", "2,3")):
        env = variables(place.read_spec(), {}, _JOB | {"CUDA_VISIBLE_DEVICES": shown})
        assert env["CUDA_VISIBLE_DEVICES"] == seen
        assert env["DASK_CUDA_TEST_DISABLE_DEVICE_SPECIFIC"] == "1"
    argv = command(place.read_spec(), place, "n", "tls://h:1", "10.0.0.1", "/s", env)
    assert "--device-memory-limit" not in argv


def test_workers_listen_on_one_address_with_the_clusters_key(tmp_path: Path) -> None:
    """Encrypted, without pages, with the slice's own memory in bytes, in the kernel's Python."""
    place = lay_cluster(tmp_path / "c", processes=2)
    argv = command(place.read_spec(), place, "name", "tls://h:1", "10.0.0.1", "/scratch", {})
    options = dict(pairwise(argv))
    assert argv[:4] == ["/usr/bin/python3", "-m", "distributed.cli.dask_worker", "tls://h:1"]
    assert (options["--host"], options["--protocol"], options["--nworkers"]) == ("10.0.0.1", "tls", "2")
    assert (options["--tls-key"], options["--tls-ca-file"]) == (str(place.key), str(place.certificate))
    assert "--no-dashboard" in argv
    assert options["--dashboard-address"] == "127.0.0.1:0"
    assert int(options["--memory-limit"]) == (2000 - 300) * (1 << 20) // 2


class _NVMLError(Exception):
    """What NVML raises."""


def _nvml(*, broken: str = "") -> SimpleNamespace:
    """A machine with GPUs of 80 and 40 GB, and MIG instances of 10."""

    def step(name: str, value: Any = None) -> Any:
        if broken == name:
            raise _NVMLError(name)
        return value

    return SimpleNamespace(
        NVMLError=_NVMLError,
        nvmlInit=lambda: step("init"),
        nvmlDeviceGetHandleByIndex=lambda index: [80 * _GB, 40 * _GB][index],
        nvmlDeviceGetHandleByUUID=lambda uuid: step("uuid", (10 if uuid[:4] == b"MIG-" else 80) * _GB),
        nvmlDeviceGetMemoryInfo=lambda handle: step("memory", SimpleNamespace(total=handle)),
    )


@pytest.mark.parametrize(
    ("devices", "total"),
    [(["0"], 80), (["0", "1"], 40), (["GPU-aa"], 80), (["MIG-bb"], 10), (["MIG-bb", "MIG-cc"], 10)],
)
def test_the_limit_is_a_share_of_the_devices_own_memory(devices: list[str], total: int) -> None:
    """Of a MIG instance's 10 GB, never of the 80 of the GPU that it is cut from; in bytes."""
    assert device_limit(devices, _nvml()) == int(total * _GB * 0.8)


@pytest.mark.parametrize("broken", ["init", "uuid", "memory"])
def test_without_an_answer_of_nvml_no_limit_is_made_up(broken: str) -> None:
    """No driver, no such device, no permission: dask-cuda's own default holds."""
    assert device_limit(["MIG-bb"], _nvml(broken=broken)) is None


def test_gpu_workers_get_their_limit_in_bytes(place: ClusterDir, monkeypatch: pytest.MonkeyPatch) -> None:
    """A share such as 0.8 would be taken of the parent GPU's memory."""
    monkeypatch.setattr("skiva.dask.worker_command._load_nvml", _nvml)
    env = variables(_spec(place), {}, _JOB | {"CUDA_VISIBLE_DEVICES": "MIG-bb"})
    argv = command(_spec(place), place, "n", "tls://h:1", "10.0.0.1", "/s", env)
    assert argv[argv.index("--device-memory-limit") + 1] == str(8 * _GB)


def test_a_jobs_whole_command(tmp_path: Path) -> None:
    """Every option that workers are started with, in full."""
    place = lay_cluster(tmp_path / "c", processes=2)
    end = [
        *("--death-timeout", "60"),
        *("--tls-ca-file", str(place.certificate), "--tls-cert", str(place.certificate)),
        *("--tls-key", str(place.key), "--no-dashboard", "--dashboard-address", "127.0.0.1:0"),
    ]
    begin = ["--name", "n", "--host", "10.0.0.1", "--nthreads", "1", "--memory-limit"]
    plain = command(place.read_spec(), place, "n", "tls://h:1", "10.0.0.1", "/scratch", {})
    assert plain == [
        *("/usr/bin/python3", "-m", "distributed.cli.dask_worker", "tls://h:1", *begin),
        *(str(850 << 20), "--local-directory", "/scratch", *end, "--protocol", "tls", "--nworkers", "2"),
    ]
    pair = _spec(place, slice=_slice(gres="gpu:h100:2", simulated=True), cuda=True)
    with_gpus = command(
        pair, place, "n", "tls://h:1", "10.0.0.1", "/scratch", {"CUDA_VISIBLE_DEVICES": "0,1"}
    )
    assert with_gpus == [
        *("/usr/bin/python3", "-m", "dask_cuda.cli", "tls://h:1", *begin),
        *(str(3850 << 20), "--local-directory", "/scratch", *end),
    ]


def test_a_jobs_whole_environment(tmp_path: Path) -> None:
    """What was chosen in the kernel, what Slurm and the account say, and nothing of the job's besides."""
    place = lay_cluster(tmp_path / "c", sys_path=("/a", "/b"))
    job = {
        **dict.fromkeys(("SLURM_X", "ROCR_X", "GPU_DEVICE_ORDINAL", "CUDA_DEVICE_ORDER", "TMPDIR"), "job"),
        **dict.fromkeys(("HOME", "USER", "LOGNAME", "SHELL"), "job"),
        **dict.fromkeys(("PATH", "LANG", "XSLURM_X", "SHELL_X", "SLURM"), "job"),
    }
    told = {
        "SLURM_Y": "kernel",
        "LOGNAME": "kernel",
        "LANG": "kernel",
        "PYTHONPATH": "kernel",
        "HOME": "kernel",
    }
    own = ("SLURM_X", "ROCR_X", "GPU_DEVICE_ORDINAL", "CUDA_DEVICE_ORDER", "TMPDIR", "HOME", "USER")
    assert variables(place.read_spec(), told, job) == {
        **dict.fromkeys((*own, "LOGNAME", "SHELL"), "job"),
        "LANG": "kernel",
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "PYTHONPATH": "/a:/b",
        "DASK_DISTRIBUTED__WORKER__HTTP__ROUTES": '["skiva.dask.guard"]',
    }
    assert variables(place.read_spec(), {"PATH": "/mine"}, job)["PATH"] == "/mine"
