"""What a site offers one person for runs."""

import json
from pathlib import Path

from skiva_hub.permitted import Charge, Permitted, Terms
from skiva_hub.site import Batch, Cluster, Dask, Environment, Hub, Partition, Site, Slice
from skiva_slurm.offer import DaskOffer, Offer
from skiva_spawners.offers import offer

BASE = Environment(id="base", title="Base", python=Path("/opt/base/bin/python"))
IMAGE = Environment(
    id="torch",
    title="Torch",
    python=Path("/opt/skiva/bin/python"),
    launcher="namespace",
    image=Path("/srv/torch.sif"),
)


def site(batch: Batch | None = None, dask: Dask | None = None) -> Site:
    """A site with a slice for everybody, one for staff, and a staff's partition."""
    return Site(
        hub=Hub(api_url="http://127.0.0.1:8081/hub/api", id="lab"),
        cluster=Cluster(
            conf=Path("/etc/slurm/slurm.conf"), client=(Path("/usr/bin/sbatch"), Path("/run/munge"))
        ),
        partition=(Partition(name="gpu"), Partition(name="big", groups=("staff",))),
        slice=(
            Slice(id="mig", title="MIG", partition="gpu", gres="gpu:1g.10gb:2", memory_mb=4000, qos="own"),
            Slice(id="own", title="Own", partition="gpu", memory_mb=400, users=("ann",), isolation="none"),
            Slice(id="big", title="Big", partition="big", gres="gpu:h100:8", memory_mb=9000),
        ),
        environment=(BASE, IMAGE),
        batch=batch or Batch(),
        dask=dask or Dask(),
    )


def test_only_what_a_person_may_use_is_offered() -> None:
    """Slices of other people and of partitions that are closed to them are not in their offer."""

    def ids(user: str, *groups: str) -> list[str]:
        return [s.id for s in offer(Permitted(site()), user, frozenset(groups), BASE, {}).slices]

    assert ids("bob") == ["mig"]
    assert ids("ann") == ["mig", "own"]
    assert ids("bob", "staff") == ["mig", "big"]


def test_a_slice_is_offered_with_what_is_asked_of_slurm_for_it() -> None:
    """Gres, cores and memory are the session's; account and QOS may be others for runs."""
    mig = offer(Permitted(site()), "bob", frozenset(), BASE, {"account": "physics", "qos": "old"}).slices[0]
    assert (mig.gres, mig.cores, mig.memory_mb, mig.devices_wanted) == ("gpu:1g.10gb:2", 1, 4000, 2)
    assert (mig.account, mig.qos) == ("physics", "own")
    batch = Batch(account="runs", qos="long")
    mig = offer(Permitted(site(batch)), "bob", frozenset(), BASE, {"account": "physics"}).slices[0]
    assert (mig.account, mig.qos) == ("runs", "long")


def test_the_sessions_account_pays_for_what_is_started_from_it_where_it_can() -> None:
    """Its owner chose it; a slice that it cannot pay for has the first account that can."""
    terms = {
        "mig": Terms(charges=(Charge("physics"), Charge("chem"))),
        "own": Terms(charges=(Charge("astro"),)),
    }
    allowed = Permitted(site(), terms, default="physics")
    mig, own = offer(allowed, "ann", frozenset(), BASE, {}, "chem").slices
    assert (mig.account, own.account) == ("chem", "astro")
    assert offer(allowed, "ann", frozenset(), BASE, {}).slices[0].account == "physics"
    assert offer(allowed, "ann", frozenset(), BASE, {"account": "all"}, "chem").slices[0].account == "all"


def test_bounds_and_places_are_the_sites() -> None:
    """Hours, number of runs and their directory come from the site file's [batch]."""
    told = offer(Permitted(site()), "bob", frozenset(), BASE, {})
    assert (told.max_hours, told.hours, told.most, told.runs) == (72, 1, 1000, "skiva-runs")
    assert (told.hub, told.bin, told.conf) == ("lab", "/usr/bin", "/etc/slurm/slurm.conf")
    batch = Batch(max_hours=24, hours=2, most=10, runs="/scratch/{user}/runs")
    told = offer(Permitted(site(batch)), "bob", frozenset(), BASE, {})
    assert (told.max_hours, told.hours, told.most, told.runs) == (24, 2, 10, "/scratch/{user}/runs")


def test_how_far_a_person_may_scale_out_is_the_sites() -> None:
    """Every field of the site file's [dask] is offered; without the table both sides assume the same."""
    assert offer(Permitted(site()), "bob", frozenset(), BASE, {}).dask == DaskOffer()
    assert set(Dask.model_fields) == set(DaskOffer.model_fields)
    dask = Dask(most_jobs=8, most_slice_hours=16, hours=2, max_hours=6)
    told = offer(Permitted(site(dask=dask)), "bob", frozenset(), BASE, {}).dask
    assert told.model_dump() == dask.model_dump()


def test_an_image_sees_slurms_client_and_the_place_of_runs() -> None:
    """A job of a run enters its environment as the session does, and finds what both need there."""
    batch = Batch(runs="/scratch/{user}/runs")
    told = offer(Permitted(site(batch)), "bob", frozenset(), IMAGE, {}).environment
    assert (told.id, told.digest) == ("torch", "")
    assert told.launch["launcher"] == "namespace"
    binds = ["/etc/slurm", "/usr/bin/sbatch", "/run/munge", "/scratch"]
    assert told.launch["binds"] == binds


def test_an_offer_survives_its_file() -> None:
    """What the notebook side reads is what the hub wrote."""
    told = offer(Permitted(site()), "ann", frozenset({"staff"}), IMAGE, {})
    assert Offer.model_validate(json.loads(json.dumps(told.model_dump(mode="json")))) == told
