"""What nvidia-smi and the driver print, read."""

from pathlib import Path

import pytest

from skiva_hub.embedded.hardware import Gpu, parse_gpus

_TWO = """\
GPU 0: NVIDIA H100 80GB HBM3 (UUID: GPU-aaaa)
GPU 1: NVIDIA H100 80GB HBM3 (UUID: GPU-bbbb)
"""

_MIG = """\
GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-aaaa)
  MIG 1g.5gb      Device  0: (UUID: MIG-1111)
  MIG 2g.10gb     Device  1: (UUID: MIG-2222)
GPU 1: NVIDIA A100-SXM4-40GB (UUID: GPU-bbbb)
"""

_INSTANCES = """\
+-------------------------------------------------------+
| GPU instances:                                        |
| GPU   Name             Profile  Instance   Placement  |
|                          ID       ID       Start:Size |
|=======================================================|
|   0  MIG 1g.5gb          19       13          6:1     |
+-------------------------------------------------------+
|   0  MIG 2g.10gb         14        3          0:2     |
+-------------------------------------------------------+
"""

_CAPABILITIES = """\
config 1
monitor 2
gpu0/gi3/access 30
gpu0/gi3/ci0/access 31
gpu0/gi13/access 120
gpu0/gi13/ci0/access 121
gpu1/gi3/access 165
gpu1/gi3/ci0/access 166
"""


def test_whole_gpus_have_a_type_and_a_device_file() -> None:
    """The model alone becomes the type that people ask Slurm for."""
    gpus = parse_gpus(_TWO)
    assert [(gpu.type, str(gpu.device)) for gpu in gpus] == [
        ("h100", "/dev/nvidia0"),
        ("h100", "/dev/nvidia1"),
    ]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("Tesla T4", "t4"),
        ("NVIDIA GeForce RTX 4090", "4090"),
        ("NVIDIA RTX A6000", "a6000"),
        ("NVIDIA L40S", "l40s"),
        ("NVIDIA A100 80GB PCIe", "a100"),
        ("NVIDIA GH200 480GB", "gh200"),
        ("NVIDIA Graphics Device", "gpu"),
    ],
)
def test_the_model_is_told_from_the_brand(name: str, kind: str) -> None:
    """Brands and product lines are no model."""
    assert Gpu(0, name).type == kind


def test_the_device_file_is_the_drivers_not_the_position() -> None:
    """Where the driver numbers the GPUs otherwise than nvidia-smi, each keeps its own file."""
    information = [
        "Model: \t\t NVIDIA H100\nIRQ:   \t\t 30\nGPU UUID: \t GPU-aaaa\nDevice Minor: \t 1\n",
        "Model: \t\t NVIDIA H100\nIRQ:   \t\t 31\nGPU UUID: \t GPU-bbbb\nDevice Minor: \t 0\n",
    ]
    gpus = parse_gpus(_TWO, information=information)
    assert [str(gpu.device) for gpu in gpus] == ["/dev/nvidia1", "/dev/nvidia0"]


def test_mig_instances_have_their_own_capability_files() -> None:
    """An instance is opened by its own two files, whatever the order of the lists."""
    cut, whole = parse_gpus(_MIG, instances=_INSTANCES, capabilities=_CAPABILITIES)
    caps = Path("/dev/nvidia-caps")
    assert [(i.profile, i.caps) for i in cut.instances] == [
        ("1g.5gb", (caps / "nvidia-cap120", caps / "nvidia-cap121")),
        ("2g.10gb", (caps / "nvidia-cap30", caps / "nvidia-cap31")),
    ]
    assert whole.instances == ()


def test_instances_without_device_files_are_refused() -> None:
    """Rather than declare a slice that nothing fences, the sentence says what to do."""
    with pytest.raises(ValueError, match=r"GPU 0 has 2 MIG devices, but 0 GPU instances .* -C"):
        parse_gpus(_MIG, instances=_INSTANCES)


@pytest.mark.parametrize("text", ["", "No devices found.\n", "GPU 0: half a li"])
def test_a_machine_without_gpus_has_none(text: str) -> None:
    """Anything that is no list of GPUs is no GPU."""
    assert parse_gpus(text) == ()
