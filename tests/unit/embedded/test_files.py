"""The files of an embedded cluster: what is written fits together and can be read by who reads it."""

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from skiva_hub.embedded import plan, privilege
from skiva_hub.embedded.assemble import slurm_version
from skiva_hub.embedded.environments import offered
from skiva_hub.embedded.errors import CannotStart
from skiva_hub.embedded.hardware import Gpu, Machine, MigInstance
from skiva_hub.embedded.layout import Layout, Owners
from skiva_hub.embedded.site_text import site_toml
from skiva_hub.embedded.slurm_files import cgroup_conf, gres_conf, slurm_conf
from skiva_hub.site import Site
from skiva_hub.site_file import load

_ROOT = Owners("slurm", "root", "munge", "skiva-hub", "skiva-users")
_USER = Owners("ada", "ada", "ada", "ada")
_DIR = Path("/var/lib/skiva")


def _simulated(*, owners: Owners = _ROOT, directory: Path = _DIR) -> Layout:
    return plan.simulated(directory, owners, ports=range(10001, 10007), hub_port=8000, fenced=owners is _ROOT)


def _real(gpus: tuple[Gpu, ...]) -> Layout:
    machine = Machine(cores=16, memory_mb=128_000, gpus=gpus)
    return plan.real(_DIR, _ROOT, machine, ports=[10001, 10002], hub_port=8000, fenced=True)


_CUT = Gpu(
    0,
    "NVIDIA H100 80GB HBM3",
    tuple(
        MigInstance(
            "1g.10gb", (Path(f"/dev/nvidia-caps/nvidia-cap{n}"), Path(f"/dev/nvidia-caps/nvidia-cap{n + 1}"))
        )
        for n in range(30, 44, 2)
    ),
)
_WHOLE = (Gpu(1, "NVIDIA H100 80GB HBM3"), Gpu(2, "NVIDIA H100 80GB HBM3"))

_LAYOUTS = {
    "simulated": _simulated(),
    "for one person": _simulated(owners=_USER),
    "whole GPUs": _real(_WHOLE),
    "one GPU": _real(_WHOLE[:1]),
    "MIG and whole": _real((_CUT, *_WHOLE)),
}


@pytest.fixture(params=_LAYOUTS)
def layout(request: pytest.FixtureRequest) -> Layout:
    """Every kind of cluster in turn."""
    return _LAYOUTS[request.param]


def _site(layout: Layout, tmp_path: Path) -> Site:
    path = tmp_path / "site.toml"
    path.write_text(site_toml(layout, offered(layout)))
    return load(path)


def test_the_site_file_is_a_site(layout: Layout, tmp_path: Path) -> None:
    """What `up` writes is read without a mistake, and each slice's partition and gres are in slurm.conf."""
    site = _site(layout, tmp_path)
    conf = slurm_conf(layout)
    declared = set(re.findall(r"(?:Gres=|,)((?:gpu|shard)[^,\s]*):\d+", conf))
    for picked in site.slice:
        assert f"PartitionName={picked.partition} " in conf
        assert picked.gres is None or picked.gres.rpartition(":")[0] in declared


def test_the_contracts_slices_are_offered(tmp_path: Path) -> None:
    """A machine without GPUs offers the five slices that tools rely on, marked as simulated."""
    site = _site(_simulated(), tmp_path)
    assert [s.id for s in site.slice] == ["cpu", "1g.10gb", "h100", "2xh100", "shard"]
    assert [s.isolation for s in site.slice] == ["none", "exclusive", "exclusive", "exclusive", "shared"]
    assert [s.simulated for s in site.slice] == [False, True, True, True, True]
    assert "simulated" in site.notice


def test_without_fences_no_slice_is_called_exclusive(tmp_path: Path) -> None:
    """An ordinary user's cluster promises nothing, on every page."""
    site = _site(_simulated(owners=_USER), tmp_path)
    assert "exclusive" not in {s.isolation for s in site.slice}
    assert not site.cluster.fenced
    assert "not fenced" in site.notice
    assert site.hub.helper == ("/var/lib/skiva/libexec/skiva-act",)


def test_real_gpus_are_not_called_simulated(tmp_path: Path) -> None:
    """What the machine has is offered under its own name; a cut GPU's own file may be open to all."""
    site = _site(_real((_CUT, *_WHOLE)), tmp_path)
    assert [s.id for s in site.slice] == ["cpu", "1g.10gb", "h100", "2xh100"]
    assert not any(s.simulated for s in site.slice)
    assert site.notice == ""
    assert site.cluster.always_open == ("/dev/nvidia0",)


def test_mig_instances_are_declared_with_all_their_files() -> None:
    """An instance needs its GPU's file and its own two; seven of them make seven lines."""
    lines = [line for line in gres_conf(_real((_CUT,))).splitlines() if "1g.10gb" in line]
    assert len(lines) == 7
    assert lines[0].endswith(
        "MultipleFiles=/dev/nvidia0,/dev/nvidia-caps/nvidia-cap30,/dev/nvidia-caps/nvidia-cap31"
    )


def test_two_directories_share_no_name_and_no_device() -> None:
    """Nodes, cluster names and device numbers of two state directories differ."""
    one, two = _simulated(), _simulated(directory=Path("/var/lib/other"))
    assert not {n.name for n in one.nodes} & {n.name for n in two.nodes}
    assert not {d.number for _, d in one.devices()} & {d.number for _, d in two.devices()}
    assert slurm_conf(one).splitlines()[0] != slurm_conf(two).splitlines()[0]


def test_everything_listens_on_this_machine_only(layout: Layout) -> None:
    """No daemon of Slurm takes connections from elsewhere."""
    conf = slurm_conf(layout)
    assert "CommunicationParameters=NoInAddrAny,NoCtldInAddrAny" in conf
    assert conf.count("NodeAddr=127.0.0.1") == len(layout.nodes)


@pytest.mark.parametrize(
    ("version", "fenced", "unfenced"),
    [
        ((22, 5), "CgroupAutomount=yes", "CgroupPlugin=cgroup/v1\n"),
        ((23, 11), "EnableControllers=yes", "CgroupPlugin=cgroup/v1\n"),
        ((24, 11), "EnableControllers=yes", "CgroupPlugin=disabled\n"),
    ],
)
def test_each_slurm_is_told_in_its_own_words(version: tuple[int, int], fenced: str, unfenced: str) -> None:
    """Options that came or went between Slurm's versions are written for those that know them."""
    assert fenced in cgroup_conf(replace(_simulated(), slurm_version=version))
    assert cgroup_conf(replace(_simulated(owners=_USER), slurm_version=version)) == unfenced


def test_slurms_version_is_read_or_refused() -> None:
    """A Slurm that is too old, or says nothing, is told before anything starts."""
    assert slurm_version("slurm-wlm 22.05.8\n") == (22, 5)
    assert slurm_version("slurm 25.05.0-0rc1\n") == (25, 5)
    for text in ("slurm-wlm 21.08.5\n", ""):
        with pytest.raises(CannotStart, match=r"Slurm 22\.05 or later"):
            slurm_version(text)


def test_fences_are_all_or_nothing(layout: Layout) -> None:
    """Process tracking, devices and memory go together."""
    text = slurm_conf(layout) + cgroup_conf(layout)
    assert ("proctrack/cgroup" in text) == ("ConstrainDevices=yes" in text) == layout.fenced
    assert ("ConstrainRAMSpace=yes" in text) == layout.fenced


@pytest.mark.skipif(not shutil.which("visudo"), reason="sudo is not installed")
def test_sudo_takes_the_line(tmp_path: Path) -> None:
    """The sudoers file is valid and names one program and who it may run as."""
    text = privilege.sudoers(_simulated())
    path = tmp_path / "skiva"
    path.write_text(text)
    path.chmod(0o440)
    assert subprocess.run(["visudo", "-c", "-q", "-f", str(path)], check=False).returncode == 0
    allowed = [line for line in text.splitlines() if line.startswith("skiva-hub")]
    assert allowed == ["skiva-hub ALL=(%skiva-users,slurm) NOPASSWD: /var/lib/skiva/libexec/skiva-act"]
