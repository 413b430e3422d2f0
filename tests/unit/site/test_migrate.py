"""A site that comes from stock batchspawner: its settings in the site file, the rest named with reasons."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skiva_hub.migrate import main
from skiva_hub.migrate.site_text import read
from skiva_hub.req_options import site_defaults, wish
from skiva_hub.site import Site, Slice
from skiva_hub.site_file import parse
from skiva_hub.slurm_values import gres_request, hours, megabytes

EXAMPLES = Path(__file__).parents[3] / "hub_config" / "examples"


def site(config: dict[str, Any]) -> tuple[Site, str]:
    """The site that a configuration becomes, and its notes as one text."""
    text, notes = read(config)
    return parse(text), "\n".join(notes)


def one(**req: str) -> tuple[Slice, str]:
    """The slice that a spawner's settings become, and the notes."""
    made, notes = site({"SlurmSpawner": req})
    return made.slice[0], notes


def test_the_example_is_what_its_configuration_becomes(capsys: pytest.CaptureFixture[str]) -> None:
    """The example site file and the batchspawner configuration beside it belong together."""
    assert main([str(EXAMPLES / "batchspawner_config.py"), "--run"]) == 0
    assert capsys.readouterr().out == (EXAMPLES / "from-batchspawner.toml").read_text()


def test_a_req_setting_becomes_a_field_of_the_slice() -> None:
    """What batchspawner asked of Slurm, the slice asks of Slurm."""
    made, notes = one(
        req_partition="gpu,gpu2",
        req_account="physics",
        req_qos="fast",
        req_reservation="course",
        req_gres="gpu:a100:2,tmpdisk:100G,fast",
        req_nprocs="8",
        req_memory="64G",
        req_runtime="1-12:00:00",
        req_options="--constraint=ib|opa -L matlab:1 --exclude=n[1-2]",
    )
    assert made.model_dump(exclude={"id", "title"}, exclude_defaults=True) == {
        "partition": "gpu,gpu2",
        "account": "physics",
        "qos": "fast",
        "reservation": "course",
        "gres": "gpu:a100:2",
        "extra_gres": ("tmpdisk:100G", "fast:1"),
        "cores": 8,
        "memory_mb": 65536,
        "max_hours": 36.0,
        "constraint": "ib|opa",
        "licenses": "matlab:1",
        "exclude": "n[1-2]",
    }
    assert "not carried over" not in notes


@pytest.mark.parametrize(
    ("req", "note"),
    [
        (
            {"req_prologue": "module load python"},
            "req_prologue was not carried over, because no text of a config",
        ),
        (
            {"req_options": "--exclusive"},
            "--exclusive was not carried over, because a slice is a part of a node",
        ),
        ({"req_options": "-w node1"}, "--nodelist was not carried over, because a slice has no field for it"),
        ({"req_options": "--constraint=a&b|c"}, "--constraint = a&b|c was not carried over"),
        ({"req_options": "--exclude=/etc/nodes"}, "it is not a list of nodes"),
        ({"req_options": "--licenses=a|b"}, "it is not a list of licences"),
        ({"req_gres": "gpu:1,disk:1:2:3"}, "disk:1:2:3 of req_gres was not carried over"),
        ({"req_options": "'unclosed"}, "its quotes do not match"),
        ({"req_options": "mem=4G"}, "mem=4G was not carried over, because it is not an sbatch option"),
        (
            {"req_partition": "a, b"},
            "req_partition = a, b was not carried over, because it is not a partition, or several",
        ),
        (
            {"req_memory": "all"},
            "req_memory = all was not carried over, because it is not an amount of memory",
        ),
        ({"req_runtime": "UNLIMITED"}, "req_runtime = UNLIMITED was not carried over"),
        ({"req_gres": "gpu:1,shard:2"}, "req_gres = gpu:1,shard:2 was not carried over"),
        (
            {"req_colour": "red"},
            "req_colour was not carried over, because it is not one of batchspawner's own",
        ),
        ({"exec_prefix": "sudo -u {username}"}, "exec_prefix was not carried over, because hub.helper"),
        ({"batch_script": "#!/bin/sh"}, "batch_script was not carried over, because sessions have a script"),
        (
            {"start_timeout": 300},
            "start_timeout was not carried over, because waiting in the queue has no end",
        ),
        ({}, "No partition is named"),
        ({}, "No memory is named"),
        ({}, "No environment was found"),
        ({}, "No address was found by which nodes reach the hub"),
        ({"req_nprocs": "5000"}, "cores = 5000 is beyond what a slice may have"),
    ],
)
def test_what_cannot_be_carried_over_is_named_with_the_reason(req: dict[str, Any], note: str) -> None:
    """Nothing gets lost in silence."""
    _, notes = one(**req)
    assert note in notes


def test_plain_directives_of_a_script_count_and_the_settings_win() -> None:
    """Sites that wrote #SBATCH lines into their script find them again, beside their settings."""
    script = "#!/bin/bash\n#SBATCH -p long --mem=8G\n#SBATCH --qos={{qos}}\n#SBATCH --account=a # x\n"
    made, _ = one(batch_script=script, req_partition="gpu")
    assert (made.partition, made.memory_mb, made.account, made.qos) == ("gpu", 8192, "a", None)


def test_a_profile_overrides_what_all_share() -> None:
    """A profile's settings replace those of the spawner's class, as wrapspawner does."""
    profiles = [
        ("One GPU", "gpu", "batchspawner.SlurmSpawner", {"req_gres": "gpu:1", "req_options": ""}),
        ("One GPU", "gpu", "batchspawner.SlurmSpawner", {"req_gres": "shard:1"}),
        ("broken",),
    ]
    shared = {"req_partition": "p", "req_options": "-C ib"}
    made, notes = site({"ProfilesSpawner": {"profiles": profiles}, "BatchSpawnerBase": shared})
    assert [(s.id, s.isolation, s.constraint) for s in made.slice] == [
        ("gpu", "exclusive", None),
        ("gpu-2", "shared", "ib"),
    ]
    assert "Profile 3 was not carried over, because it is not title, key, class, settings" in notes


def test_the_spawners_own_class_counts_over_the_ones_it_is_made_from() -> None:
    """Settings of a subclass win, as traitlets has it."""
    made, _ = site(
        {
            "JupyterHub": {"spawner_class": "our.spawners.OurSpawner"},
            "OurSpawner": {"req_partition": "c"},
            "SlurmSpawner": {"req_partition": "b", "req_qos": "q"},
            "BatchSpawnerBase": {"req_partition": "a"},
        }
    )
    assert (made.slice[0].partition, made.slice[0].qos) == ("c", "q")


@pytest.mark.parametrize(
    ("hub", "url", "plain"),
    [
        ({"hub_connect_url": "https://h:8081"}, "https://h:8081/hub/api", False),
        (
            {"hub_connect_ip": "10.0.0.1", "base_url": "/jupyter/"},
            "http://10.0.0.1:8081/jupyter/hub/api",
            True,
        ),
        ({"hub_ip": "10.0.0.1", "hub_port": 81, "internal_ssl": True}, "https://10.0.0.1:81/hub/api", False),
        ({"hub_ip": "fd00::1"}, "http://[fd00::1]:8081/hub/api", True),
        ({"hub_ip": "127.0.0.1"}, "http://127.0.0.1:8081/hub/api", False),
        ({"hub_ip": "0.0.0.0"}, "https://hub.example.org/hub/api", False),  # noqa: S104
        ({"hub_connect_url": "https://[1"}, "https://hub.example.org/hub/api", False),
    ],
)
def test_the_address_of_the_hub_is_found(hub: dict[str, Any], url: str, plain: bool) -> None:
    """Where nodes reached the old hub is where they reach the new one; plain http is stated."""
    made, _ = site({"JupyterHub": hub})
    assert (made.hub.api_url, made.hub.plain_http) == (url, plain)


@pytest.mark.parametrize(
    ("settings", "python"),
    [
        ({"req_prologue": "module load x\nsource /opt/env/bin/activate"}, "/opt/env/bin/python"),
        ({"cmd": ["/opt/hub/bin/jupyterhub-singleuser"]}, "/opt/hub/bin/python"),
        ({"batchspawner_singleuser_cmd": "/opt/w/bin/batchspawner-singleuser"}, "/opt/w/bin/python"),
        ({"cmd": "jupyterhub-singleuser"}, "/opt/skiva/base/bin/python"),
    ],
)
def test_the_environment_is_found_where_servers_were_started_from(
    settings: dict[str, Any], python: str
) -> None:
    """The Python beside the old command is the environment's."""
    made, _ = site({"Spawner": settings})
    assert str(made.environment[0].python) == python


anything = st.dictionaries(
    st.sampled_from(
        [
            "req_partition",
            "req_gres",
            "req_memory",
            "req_nprocs",
            "req_runtime",
            "req_options",
            "req_account",
            "req_own",
            "batch_script",
            "cmd",
        ]
    ),
    st.one_of(
        st.text(max_size=30),
        st.integers(),
        st.none(),
        st.sampled_from(
            ["0", "1", "9" * 9, "-p", "gpu:0", "#SBATCH -p {own}\nsource /a/bin/activate", "gpu:1,x:2"]
        ),
    ),
)


@given(anything, st.text(max_size=100))
def test_whatever_the_settings_hold_the_site_file_loads(req: dict[str, Any], title: str) -> None:
    """A migration always ends with a file that can be mended, never with one that cannot be read."""
    profiles = [(title, title, "batchspawner.SlurmSpawner", req)]
    assert site({"SlurmSpawner": req, "ProfilesSpawner": {"profiles": profiles}})[0].slice


@given(st.text(max_size=60))
def test_no_options_text_breaks_the_reading_of_them(text: str) -> None:
    """Options come out as valid values or as notes of one line."""
    found = [wish({"options": text}), wish({"gres": text}), wish({}, text)]
    assert all(note.isprintable() for each in found for note in each.notes)


def test_defaults_for_slices_come_from_req_settings() -> None:
    """A hub that keeps its req_* settings fills with them what a slice does not say; options win."""
    req = {"req_partition": "gpu", "req_account": "a", "options": "-A b --qos q --mem=4G", "req_nprocs": "4"}
    assert site_defaults(req) == {"partition": "gpu", "account": "b", "qos": "q"}
    assert site_defaults({"req_partition": "", "req_account": "a b"}) == {}
    assert wish({"req_account": "a b"}).notes


def test_slurms_spellings_of_amounts_are_read() -> None:
    """Times, memory and gres in every spelling that sbatch takes."""
    times = {
        "90": 1.5,
        "90:30": 1.5083,
        "1:30:00": 1.5,
        "1-0": 24,
        "1-0:30": 24.5,
        "1-1:0:0": 25,
        "0": None,
        "x": None,
    }
    assert {text: hours(text) for text in times} == times
    amounts = {
        "4000": 4000,
        "4G": 4096,
        "4gb": 4096,
        "1T": 1048576,
        "512K": 1,
        "0": None,
        "4X": None,
        "": None,
    }
    assert {text: megabytes(text) for text in amounts} == amounts
    asked = {
        "gpu": "gpu:1",
        "gpu:a100": "gpu:a100:1",
        "gpu:1g.10gb:2": "gpu:1g.10gb:2",
        "gpu:0": None,
        "": None,
    }
    assert {text: gres_request(text) for text in asked} == asked
