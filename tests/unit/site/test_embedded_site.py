"""The site file that an embedded cluster writes for itself."""

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from skiva_hub.embedded import client
from skiva_hub.embedded.environments import offered
from skiva_hub.embedded.errors import CannotStart
from skiva_hub.embedded.hardware import Gpu, Machine, MigInstance
from skiva_hub.embedded.layout import Layout, Owners
from skiva_hub.embedded.plan import SIMULATED_NODES, real, simulated
from skiva_hub.embedded.privilege import act_config
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
    """What sessions in images need of it."""
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
    assert client.found(tmp_path) == tuple(tmp_path / name for name in expected)


@pytest.mark.parametrize(
    ("libc", "folder", "carried"),
    [
        ("glibc 2.36", "/usr/bin", False),
        ("glibc 2.41", "/var/lib/skiva/client/bin", True),
        ("musl", "/usr/bin", False),
    ],
)
def test_a_client_that_images_could_not_run_brings_its_own_libraries(
    libc: str, folder: str, carried: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hub, the helper and sessions call what is carried along; where images can run it, the usual one."""
    layout = simulated(DIR, ROOT, ports=PORTS, hub_port=8000, fenced=True)
    monkeypatch.setattr(os, "confstr", lambda _: libc)
    told = client.chosen(layout)
    helper = json.loads(act_config(told))
    assert (written(told).cluster.bin, helper["bin"]) == (Path(folder), folder)
    assert helper["env"]["PATH"].split(":")[-3:] == ["/usr/local/bin", "/usr/bin", "/bin"]
    assert folder in helper["env"]["PATH"].split(":")
    assert (layout.client_dir in written(told).cluster.client) == carried


@pytest.mark.slurm
def test_a_carried_client_runs_by_its_own_libraries(tmp_path: Path) -> None:
    """Each command answers by the loader and the C library beside it, under its own name."""
    place, conf = tmp_path / "a client", tmp_path / "slurm.conf"
    conf.write_text("ClusterName=test\nSlurmctldHost=localhost\nSlurmUser=root\n")
    client.carry(place)
    client.carry(place)  # as by the next `up`

    def run(*argv: object) -> "subprocess.CompletedProcess[str]":
        env = {"SLURM_CONF": str(conf)}
        return subprocess.run(list(map(str, argv)), env=env, capture_output=True, text=True, check=False)

    for name in ("sbatch", "squeue", "scancel", "scontrol", "sinfo"):
        told = run(place / "bin" / name, "--version").stdout
        assert told.startswith("slurm")
        assert told == run(Path("/usr/bin", name), "--version").stdout
    assert run(place / "bin/sbatch", "--moon").stderr.startswith("sbatch: unrecognized option '--moon'")
    script = (place / "bin/sbatch").read_text()
    loader = next((place / "lib").glob("ld*"))
    assert f"exec '{loader}' --library-path '{place}/lib' " in script
    listed = run(loader, "--library-path", place / "lib", "--list", place / "programs/sbatch").stdout
    assert f"libc.so.6 => {place}/lib/libc.so.6 " in listed


def test_libraries_are_what_ldd_tells_of_all_programs() -> None:
    """One loader, each library once; what is built in, missing or no program is passed over."""
    printed = (
        "/usr/bin/a:\n\tlinux-vdso.so.1 (0x00007f58)\n\tlibc.so.6 => /lib/libc.so.6 (0x00007f58)\n"
        "\t/lib64/ld-linux-x86-64.so.2 (0x00007f58)\n/p.so:\n\tlibz.so.1 => not found\n"
        "\tlibc.so.6 => /lib/libc.so.6 (0x00007f59)\n\tnot a dynamic executable\n"
    )
    assert client.libraries(printed) == (Path("/lib64/ld-linux-x86-64.so.2"), [Path("/lib/libc.so.6")])
    with pytest.raises(CannotStart, match="libc-bin"):
        client.libraries("\tnot a dynamic executable\n")


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
