"""Configurations of the kinds that sites have: each becomes a site file that loads, and nothing is lost."""

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skiva_hub.migrate.loading import Loaded, load
from skiva_hub.migrate.settings import Configuration
from skiva_hub.migrate.site_text import read
from skiva_hub.site_file import parse

DIRECTORY = Path(__file__).with_name("configurations")
NAMES = sorted(path.stem for path in DIRECTORY.glob("*.conf"))
SLICES = {
    "choice-in-a-form": [("main", None, "none", 2, 16000)],
    "container-script": [("gpu", "gpu:h100:1", "exclusive", 8, 32000)],
    "form-spawner": [("b1", None, "none", 1, 4000)],
    "oauth-and-own-class": [("interactive", None, "none", 4, 16000)],
    "partitions-of-a-plugin": [("gpu", None, "none", 1, 4000)],
    "slurm-over-rest": [("nvgpu", "gpu:1", "exclusive", 1, 32768)],
    "spawners-of-all-kinds": [("short", None, "none", 2, 4096), ("long", None, "none", 128, 512000)],
    "two-node-lab": [
        ("gpu", "gpu:a100:1", "exclusive", 1, 16384),
        ("gpu", None, "none", 4, 16000),
        ("cpu", "tmpdisk:100", "none", 1, 1024),
        ("gpu", "gpu:2", "exclusive", 8, 65536),
    ],
}
TOLD = {
    "choice-in-a-form": [
        "JupyterHub.hub_bind_url: nodes must reach Skiva's hub by it. Skiva's hub listens on 127.0.0.1:8081",
        "exec_prefix is empty, so hub.helper was left out",
        "--gres={gpus} of batch_script was not carried over, because it differs from start to start",
        "What batch_script runs (source /opt/conda/bin/activate jupyter; /opt/conda/envs",
        "/opt/conda/envs/jupyter/bin/python is taken as the environment",
        "Spawner.options_form was not carried over, because the page is Skiva's own",
        "Spawner.post_stop_hook was not carried over",
    ],
    "container-script": [
        "JupyterHub.hub_connect_ip, which each node takes for itself",
        "#SBATCH --mail-type=END of batch_script was not carried over",
        "name an image by its launcher and image",
        "/opt/lab/bin/python is taken as the environment",
    ],
    "form-spawner": [
        "SlurmFormSpawner is not part of batchspawner",
        "SlurmFormSpawner.gpus was not carried over, because SliceSpawner does not read it",
        "SlurmSpawner.req_partition was not carried over, because SlurmFormSpawner.req_partition has",
        "ConfigurableHTTPProxy.auth_token was not carried over, because Skiva starts a proxy",
        "NoSuchService.port was not carried over",
    ],
    "oauth-and-own-class": [
        "no_such_oauth is not installed here",
        "hub.helper is what acts as a user",
        "What batch_script runs (module purge; module load JupyterHub/4.0; export SECRET=...)",
        "What SiteSpawner does itself (_form, options_from_form) was not carried over",
        "req_account of class SiteSpawner was not carried over, because SiteSpawner.req_account has the last",
        "site_motd of class SiteSpawner was not carried over",
        "JupyterHub.authenticator_class was not carried over, because it is JupyterHub's",
        "Spawner.pre_spawn_hook was not carried over, because it is JupyterHub's",
        "Spawner.environment was not carried over, because a job gets only",
    ],
    "partitions-of-a-plugin": [
        "no_such_moss is not installed here",
        "NoSuchMOSlurmSpawner.partitions was not carried over",
    ],
    "slurm-over-rest": [
        "NoSuchRestSpawner is not known to start jobs in Slurm",
        "JupyterHub.hub_connect_url names no machine",
        "JupyterHub.hub_ip names no machine",
        "JupyterHub.db_url was not carried over, because SKIVA_DB_URL",
    ],
    "spawners-of-all-kinds": [
        'Profile "Control Node" was not carried over, because it starts LocalProcessSpawner',
        'Profile "Container" was not carried over, because it starts DockerSpawner',
        'Profile "Old cluster" was not carried over, because it starts TorqueSpawner',
        '"New cluster": mem_limit was not carried over',
        '"A whole node": --exclusive was not carried over, because a slice is a part of a node; for a whole',
        '"A whole node": --mem = 0 was not carried over',
        '"A whole node": No memory is named, which a slice must: 4000 MB for each core were written',
        "JupyterHub.active_server_limit was not carried over, because it is JupyterHub's",
        "BatchSpawnerBase.req_partition was not carried over, because req_partition of the profiles",
    ],
    "two-node-lab": [
        "Profile 5 was not carried over, because it is not title, key, class, settings",
        "Every profile: req_prologue was not carried over",
        '"Two kinds of GPU": req_gres = gpu:a100:1,gpu:v100:1 was not carried over',
        '"Scratch alone": tmpdisk:100 is no GPU',
        "idle.minutes is from the --timeout of a service",
        "JupyterHub.services was not carried over, because Skiva has services of its own",
        "JupyterHub.inactive_server_timeout was not carried over, because idle.minutes",
    ],
}


def loaded(name: str) -> Loaded:
    """What one of the configurations sets."""
    return load(DIRECTORY / f"{name}.conf")


def said(config: dict[str, Any], missing: tuple[str, ...] = ()) -> str:
    """The whole output for a configuration: site file and notes."""
    text, notes = read(config, missing)
    return "\n".join([text, *notes])


@pytest.mark.parametrize("name", NAMES)
def test_a_configuration_becomes_a_site_that_loads(name: str) -> None:
    """What is written is a site file in Skiva's own model, with the slices that the configuration had."""
    found = loaded(name)
    text, notes = read(found.config, found.missing)
    site = parse(text)
    assert [(s.partition, s.gres, s.isolation, s.cores, s.memory_mb) for s in site.slice] == SLICES[name]
    assert [part for part in TOLD[name] if part not in "\n".join(notes)] == []
    assert all(note.isprintable() for note in notes)


@pytest.mark.parametrize("name", NAMES)
def test_no_secret_of_a_configuration_is_shown(name: str) -> None:
    """A site file may be read by everybody, so what is told of a setting is its name."""
    found = loaded(name)
    assert "do-not-show-this" not in said(dict(found.config), found.missing)


def smaller(config: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The configuration without one of its settings, or without one of a profile's, for each."""
    for origin, _ in Configuration(config).rest():
        section, _, name = origin.partition(".")
        without = {key: dict(values) for key, values in config.items()}
        del without[section][name]
        yield origin, without
    profiles = Configuration(config).get("ProfilesSpawner.profiles") or ()
    for number, (title, *rest) in enumerate(profiles):
        changes = rest[-1] if len(rest) == 3 else {}
        for name in changes:
            less = {key: value for key, value in changes.items() if key != name}
            those = [*profiles[:number], (title, *rest[:-1], less), *profiles[number + 1 :]]
            yield (
                f"{title}: {name}",
                {**config, "ProfilesSpawner": {**config["ProfilesSpawner"], "profiles": those}},
            )


@pytest.mark.parametrize("name", NAMES)
def test_each_setting_is_in_the_site_file_or_told(name: str) -> None:
    """Leaving out any one setting changes what is printed, so none was lost without a word."""
    config = {section: dict(values) for section, values in loaded(name).config.items()}
    whole = said(config)
    tried = {origin: said(without) for origin, without in smaller(config)}
    # What a profile's class is not for Slurm's sake is told with its class alone.
    of_others = ("Control Node", "Container", "Old cluster")
    assert tried
    assert [o for o, text in tried.items() if text == whole and not o.startswith(of_others)] == []


CLASSES = (
    "JupyterHub",
    "Spawner",
    "SlurmSpawner",
    "BatchSpawnerBase",
    "ProfilesSpawner",
    "Authenticator",
    "Other",
)


@given(
    st.sampled_from(CLASSES),
    st.from_regex(r"\A[a-z_]{0,30}\Z").map("never_heard_of_{}".format),
    st.sampled_from([1, True, False, "x", ["x"], {"x": 1}]),
)
def test_a_setting_that_nobody_has_heard_of_is_told(section: str, name: str, value: object) -> None:
    """Whatever a class may be given is told by its name: no list decides what can be forgotten."""
    assert f"{section}.{name} was not carried over" in said({section: {name: value}})


KNOWN = (
    *(
        "spawner_class",
        "services",
        "allow_named_servers",
        "named_server_limit_per_user",
        "hub_ip",
        "hub_port",
    ),
    *("base_url", "hub_connect_url", "hub_bind_url", "internal_ssl"),
)


@given(
    st.dictionaries(
        st.sampled_from(KNOWN),
        st.one_of(st.integers(), st.booleans(), st.text(max_size=20), st.lists(st.text(max_size=5))),
    )
)
def test_whatever_the_hubs_settings_hold_the_site_file_loads(hub: dict[str, Any]) -> None:
    """A setting of a kind that nobody expects is told, and no reason to write nothing."""
    assert parse(read({"JupyterHub": hub})[0]).slice


def test_a_script_option_that_depends_on_something_is_told() -> None:
    """An option that a filter or a condition decides is neither taken for fixed nor for a setting's."""
    script = """
{% if user == "ada" %}
#SBATCH --qos=fast
{% endif %}
#SBATCH --partition={{ partition|default("cpu") }} --account=a
#SBATCH --time={{runtime}} {% if memory %}--mem={{memory}}{% endif %}
"""
    text, notes = read({"SlurmSpawner": {"batch_script": script, "req_memory": "1G"}})
    picked = parse(text).slice[0]
    assert (picked.partition, picked.qos, picked.account, picked.memory_mb) == ("main", None, "a", 1024)
    told = [note for note in notes if "differs from start to start" in note]
    assert [note.partition(" of ")[0] for note in told] == [
        "#SBATCH --qos=fast",
        '--partition={{ partition|default("cpu") }}',
    ]


def test_a_title_that_is_told_stays_on_its_line() -> None:
    """A title of a profile cannot end the comment in which it is named."""
    profiles = [('a\n[hub]\n"', "k", "batchspawner.SlurmSpawner", {"req_gres": "x\ny"})]
    text = said({"ProfilesSpawner": {"profiles": profiles}})
    notes = text[text.index("\n\n# ") if "\n\n# " in text else 0 :]
    assert "\n[hub]\n" not in notes.partition("[hours]")[2]


def test_the_helper_is_the_manuals() -> None:
    """What acts as a user is written as the manual installs it."""
    made = tomllib.loads(read({})[0])
    assert json.dumps(made["hub"]["helper"])[1:-1].startswith('"sudo", "-n"')
    assert "helper" not in tomllib.loads(read({"SlurmSpawner": {"exec_prefix": ""}})[0])["hub"]
