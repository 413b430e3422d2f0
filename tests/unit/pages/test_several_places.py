"""A slice of several partitions, features and excluded nodes: for whom it is, and what is free of it."""

from pathlib import Path

from skiva_hub.pages.queue import available, slice_of, waiting
from skiva_hub.site import Site
from skiva_hub.site_file import load
from skiva_slurm.gres import parse_gres
from skiva_slurm.jobs import Job, Node, Snapshot

EXAMPLES = Path(__file__).parents[3] / "hub_config" / "examples"


def site() -> Site:
    """A site whose first slice may be in two partitions, of which one is for a group."""
    data = load(EXAMPLES / "mig-cluster.toml").model_dump()
    told = {
        "partition": "interactive,gpu",
        "constraint": "ib|opa",
        "exclude": "n3",
        "extra_gres": ["disk:10"],
    }
    data["slice"] = [data["slice"][0] | told, *data["slice"][1:]]
    return Site.model_validate(data)


def node(name: str, partition: str, *features: str) -> Node:
    disk = parse_gres("disk:20")
    states = frozenset({"IDLE"})
    return Node(
        name, name, states, (partition,), disk, features=frozenset(features), cores=64, memory_mb=99999
    )


def test_a_slice_is_for_whom_all_its_partitions_are_open_and_as_long_as_the_shortest() -> None:
    """Slurm refuses a job that names a partition which its owner may not use."""
    one = site()
    picked = one.slice[0]
    assert picked not in one.slices_for("ada", frozenset())
    assert picked in one.slices_for("ada", frozenset({"gpu-projects"}))
    assert one.max_hours(picked) == 12


def test_what_is_free_and_who_waits_is_counted_in_all_its_partitions_on_nodes_that_fit() -> None:
    """Two on each node by its disk; not where a feature is missing, nor on a node that is excluded."""
    picked = site().slice[0]
    nodes = [
        node("n1", "interactive", "ib"),
        node("n2", "gpu", "opa"),
        node("n3", "gpu", "ib"),
        node("n4", "gpu"),
    ]
    waits = Job(1, "bob", "PENDING", "Resources", "gpu", gres=parse_gres("disk:10"))
    seen = Snapshot.of(0.0, {1: waits}, {one.name: one for one in nodes})
    assert (available(picked, seen).free, available(picked, seen).total) == (4, 4)
    assert waiting(picked, seen) == 1
    assert slice_of(waits, site()) == picked
