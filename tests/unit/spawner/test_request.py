"""What a choice becomes: Slurm's request, and the session's private file."""

import json
from pathlib import Path

from skiva_hub.launches import launch
from skiva_hub.permitted import Permitted
from skiva_hub.req_options import site_defaults
from skiva_hub.site import Cluster, Environment, Hub, Partition, Site, Slice
from skiva_images.launch import Launch
from skiva_slurm.sbatch import sbatch_options, script
from skiva_spawners.offers import offer
from skiva_spawners.options import Choice
from skiva_spawners.record import Record
from skiva_spawners.request import job_request, server_file, tag_of

MIG = Slice(id="1g.10gb", title="MIG", partition="gpu", gres="gpu:1g.10gb:1", memory_mb=4000, qos="own")
BASE = Environment(id="base", title="Base", python=Path("/opt/base/bin/python"))


def site(**cluster: object) -> Site:
    """A site with one slice."""
    return Site(
        hub=Hub(api_url="http://127.0.0.1:8081/hub/api", id="lab"),
        cluster=Cluster.model_validate(cluster),
        partition=(Partition(name="gpu"),),
        slice=(MIG,),
        environment=(BASE,),
    )


CHOICE = Choice(slice=MIG, environment=BASE, hours=2)
RECORD = Record.new(CHOICE, certificate="a certificate", api_token="canary-token", account="ann", clicked=0.0)
OFFERED = offer(Permitted(site()), "ann", frozenset(), BASE, {})


def test_settings_of_a_batchspawner_site_fill_in_what_a_slice_leaves_open() -> None:
    """A migrating site's req_account counts, its req_qos yields to the slice's own."""
    defaults = site_defaults({"req_account": "physics", "req_qos": "old", "req_options": "--constraint=h100"})
    options = sbatch_options(
        job_request(site(), CHOICE, tag_of(site(), "ann", "", RECORD), "/home/ann", defaults)
    )
    assert {"--account=physics", "--qos=own", "--constraint=h100"} <= set(options)


def test_the_chosen_account_is_charged_unless_the_site_says_otherwise() -> None:
    """First the slice's own account, then the hub's settings (a hook may set them for each person)."""

    def account(defaults: dict[str, str], **own: str) -> str | None:
        choice = CHOICE.model_copy(update={"slice": MIG.model_copy(update=own)})
        tag = tag_of(site(), "ann", "", RECORD)
        return job_request(site(), choice, tag, "/home/ann", defaults, "chosen").account

    assert account({}) == "chosen"
    assert account({"account": "hook"}) == "hook"
    assert account({"account": "hook"}, account="slice") == "slice"


def test_an_image_sees_what_the_job_needs_of_its_node() -> None:
    """Slurm's configuration and devices outside /dev are bound; what lies in /dev is there anyway."""
    image = Environment.model_validate(
        {
            "id": "torch",
            "title": "T",
            "python": "/opt/skiva/bin/python",
            "launcher": "namespace",
            "image": "/srv/t.sif",
            "binds": ["/scratch"],
        }
    )
    cluster = {"conf": "/srv/slurm/slurm.conf", "devices": ["/dev/nvidia[0-9]*", "/srv/dev/*/mig*"]}
    assert launch(site(**cluster), image) == Launch(
        launcher="namespace",
        python="/opt/skiva/bin/python",
        image="/srv/t.sif",
        binds=("/scratch", "/srv/slurm", "/srv/dev"),
    )
    assert launch(site(), BASE) == Launch(python="/opt/base/bin/python")


def test_no_secret_is_in_the_command_line_or_the_script() -> None:
    """Token and key are in the private file and nowhere else."""
    request = job_request(site(), CHOICE, tag_of(site(), "ann", "", RECORD), "/home/ann", {})
    told = " ".join(sbatch_options(request)) + script(request)
    assert "canary" not in told
    env = {"JUPYTERHUB_API_TOKEN": "canary-token", "PATH": "/evil", "SSH_AUTH_SOCK": "/x"}
    private = json.loads(
        server_file(site(), CHOICE, RECORD, "canary-key", env, "http://127.0.0.1/stream", OFFERED)
    )
    assert private["env"] == {"JUPYTERHUB_API_TOKEN": "canary-token"}
    assert (private["certificate"], private["private_key"]) == (RECORD.certificate, "canary-key")


def test_a_job_is_told_all_that_it_needs_and_nothing_else() -> None:
    """Where it may listen, what it must prove, what it shows people, how long it may last."""
    where = site(devices=["/dev/nvidia[0-9]*"], always_open=["/dev/nvidia0"])
    told = json.loads(server_file(where, CHOICE, RECORD, "k", {}, "http://127.0.0.1/stream", OFFERED))
    assert told == {
        "env": {},
        "certificate": RECORD.certificate,
        "private_key": "k",
        "nonce": RECORD.nonce,
        "bind": "",
        "ports": [20000, 40000],
        "devices": ["/dev/nvidia[0-9]*"],
        "always_open": ["/dev/nvidia0"],
        "must_be_exclusive": True,
        "devices_wanted": 1,
        "stream_url": "http://127.0.0.1/stream",
        "variables": {},
        "minutes": 120,
        "session": {
            "slice": "1g.10gb",
            "title": "MIG",
            "environment": "Base",
            "environment_id": "base",
            "isolation": "exclusive",
            "simulated": False,
            "warn": 120,
            "gres": "gpu:1g.10gb:1",
            "memory_mb": 4000,
            "extend_hours": 0.0,
            "max_hours": 8.0,
        },
        "offer": OFFERED.model_dump(mode="json"),
    }


def test_what_a_slice_leaves_open_is_asked_as_the_hub_says() -> None:
    """Each of batchspawner's settings; the command is the environment's Python, alone."""
    open_slice = MIG.model_copy(update={"qos": None})
    choice = CHOICE.model_copy(update={"slice": open_slice})
    fields = ("account", "qos", "constraint", "reservation", "licenses", "exclude")
    defaults = {name: f"the-{name}" for name in fields}
    request = job_request(site(), choice, tag_of(site(), "ann", "", RECORD), "/home/ann", defaults)
    assert {name: getattr(request, name) for name in fields} == defaults
    assert request.command == ("/opt/base/bin/python", "-I", "-m", "skiva.session")


def test_exclusiveness_is_demanded_of_the_job_unless_the_site_says_that_nothing_is_fenced() -> None:
    """A slice that is called exclusive is proved; a cluster that cannot fence does not pretend to."""
    for fenced in (True, False):
        private = json.loads(server_file(site(fenced=fenced), CHOICE, RECORD, "k", {}, "", OFFERED))
        assert private["must_be_exclusive"] is fenced
        assert private["devices_wanted"] == 1
    shared = CHOICE.model_copy(update={"slice": MIG.model_copy(update={"isolation": "shared"})})
    private = json.loads(server_file(site(), shared, RECORD, "k", {}, "", OFFERED))
    assert private["must_be_exclusive"] is False


def test_a_session_may_be_requeued_and_is_warned_before_its_end() -> None:
    """Two minutes before it; in a short session when half of it is over."""
    for hours, seconds in ((2, 120), (4 / 60, 120), (3 / 60, 90), (1 / 60, 30)):
        choice = CHOICE.model_copy(update={"hours": hours})
        request = job_request(site(), choice, tag_of(site(), "ann", "", RECORD), "/home/ann", {})
        assert (request.requeue, request.warn_seconds) == (True, seconds)
        assert request.output == f"/home/ann/{site().hub.run_dirs}/{RECORD.nonce}/log"


def test_two_starts_never_share_a_nonce() -> None:
    """Each start is told apart in Slurm and on disk."""
    made = [Record.new(CHOICE, certificate="c", api_token="t", account="ann", clicked=0.0) for _ in range(50)]
    assert len({r.nonce for r in made}) == 50
