"""The site file that an embedded cluster writes for itself."""

from dataclasses import replace
from pathlib import Path

import pytest

from skiva_hub.embedded import client
from skiva_hub.embedded.environments import offered
from skiva_hub.embedded.hardware import Gpu, Machine, MigInstance
from skiva_hub.embedded.layout import Layout, Owners
from skiva_hub.embedded.plan import SIMULATED_NODES, real, simulated
from skiva_hub.embedded.site_text import site_toml
from skiva_hub.site import Site
from skiva_hub.site_file import load, parse

EXAMPLE = Path(__file__).parents[3] / "hub_config" / "examples" / "embedded.toml"
DIR = Path("/var/lib/skiva")
ROOT = Owners(slurm="slurm", slurmd="root", munge="munge", hub="skiva-hub", people="skiva-users")
ALONE = Owners(slurm="alice", slurmd="alice", munge="alice", hub="alice")
PORTS = range(7000, 7001 + len(SIMULATED_NODES))


def written(layout: Layout) -> Site:
    """The site that is read back from what a layout writes."""
    return parse(site_toml(layout, offered(layout)))


@pytest.mark.parametrize("owners", [ROOT, ALONE], ids=["root", "alone"])
@pytest.mark.parametrize("fenced", [True, False])
def test_what_up_writes_is_a_good_site(owners: Owners, fenced: bool) -> None:
    """Fenced or not, for all or for one person alone, the file loads and has the slices of the contract."""
    site = written(simulated(DIR, owners, ports=PORTS, hub_port=8000, fenced=fenced))
    assert [s.id for s in site.slice] == ["cpu", "1g.10gb", "h100", "2xh100", "shard"]
    assert [s.devices_wanted for s in site.slice] == ([None, 1, 1, 2, None] if fenced else [None] * 5)
    assert site.cluster.fenced is fenced


def test_the_example_is_what_up_writes() -> None:
    """The example of an embedded site tells what operators find in the state directory."""
    library = Path("/usr/lib/x86_64-linux-gnu")
    programs = ("sbatch", "squeue", "scancel", "scontrol", "sinfo")
    parts = (*(Path("/usr/bin", name) for name in programs), library / "slurm-wlm", library / "libmunge.so.2")
    layout = simulated(DIR, ROOT, ports=PORTS, hub_port=8000, fenced=True)
    assert load(EXAMPLE) == written(replace(layout, client=parts))


def test_slurms_client_is_found_where_debian_and_others_put_it(tmp_path: Path) -> None:
    """What sessions in images need of it, and nothing where it would not run there."""
    names = [
        "usr/bin/sbatch",
        "usr/bin/squeue",
        "usr/lib/aarch64-linux-gnu/libmunge.so.2",
        "usr/lib64/slurm/x",
    ]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    expected = (*names[:2], "usr/lib64/slurm", names[2])
    assert client.found(tmp_path, "glibc 2.36") == tuple(tmp_path / name for name in expected)
    assert client.found(tmp_path, "glibc 2.39") == client.found(tmp_path, "musl") == ()


def test_a_mig_instance_of_a_real_gpu_is_proved_by_the_two_files_that_are_its_own() -> None:
    """The GPU that instances share is open to all of them; a whole GPU beside it is one file."""
    caps = [tuple(Path(f"/dev/nvidia-caps/nvidia-cap{n}") for n in pair) for pair in ((12, 13), (21, 22))]
    cut = Gpu(0, "NVIDIA H100 80GB HBM3", tuple(MigInstance("1g.10gb", pair) for pair in caps))
    whole = Gpu(1, "NVIDIA H100 80GB HBM3")
    layout = real(DIR, ROOT, Machine(16, 65536, (cut, whole)), ports=(1, 2), hub_port=8000, fenced=True)
    wanted = {s.gres: s.devices_wanted for s in written(layout).slice}
    assert wanted.pop(None) is None
    assert wanted.pop("gpu:1g.10gb:1") == 2
    assert list(wanted.values()) == [1]
    assert written(layout).cluster.always_open == ("/dev/nvidia0",)
