"""How many slices could start now."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skiva_slurm.gres import Gres
from skiva_slurm.jobs import Job, Node, Snapshot
from skiva_slurm.parse import parse_nodes
from skiva_slurm.slices import Availability, availability
from skiva_slurm.wishes import Place

CORPUS = Path(__file__).parent / "corpus"


def snapshot(*nodes: Node, jobs: tuple[Job, ...] = ()) -> Snapshot:
    return Snapshot.of(0.0, {job.id: job for job in jobs}, {node.name: node for node in nodes})


def node(name: str = "n1", **fields: Any) -> Node:
    plain: dict[str, Any] = {
        "address": name,
        "states": frozenset({"IDLE"}),
        "partitions": ("gpu",),
        "gres": (Gres("gpu", "1g.10gb", 7), Gres("gpu", "h100", 2)),
        "cores": 32,
        "memory_mb": 64000,
    }
    return Node(name=name, **{**plain, **fields})


def job(
    number: int, gres: str = "h100", count: int = 1, end: float | None = 100.0, state: str = "RUNNING"
) -> Job:
    return Job(number, "alice", state, nodes=("n1",), gres=(Gres("gpu", gres, count),), end=end)


def free(
    gres: str | None, *nodes: Node, cores: int = 1, memory: int = 1000, jobs: tuple[Job, ...] = ()
) -> int:
    return availability(gres, Place("gpu"), cores, memory, snapshot(*nodes, jobs=jobs)).free


def test_an_idle_node_offers_all_its_slices() -> None:
    """Each kind is counted by itself; two whole GPUs make one slice of two."""
    assert free("gpu:1g.10gb:1", node()) == 7
    assert free("gpu:h100:1", node()) == 2
    assert free("gpu:h100:2", node()) == 1
    assert free("gpu:1", node()) == 9
    assert free(None, node(), cores=4) == 8


def test_slices_do_not_add_up_over_nodes() -> None:
    """Two nodes with one free GPU each have no slice of two."""
    half: dict[str, Any] = {"gres": (Gres("gpu", "h100", 2),), "gres_used": (Gres("gpu", "h100", 1),)}
    assert free("gpu:h100:2", node("n1", **half), node("n2", **half)) == 0
    assert free("gpu:h100:1", node("n1", **half), node("n2", **half)) == 2


def test_a_slice_needs_its_cores_and_memory_on_the_same_node() -> None:
    """Free devices without a free core or memory are not free slices."""
    assert free("gpu:1g.10gb:1", node(cores_used=30), cores=2) == 1
    assert free("gpu:1g.10gb:1", node(cores=8, cores_used=1), cores=2) == 3
    assert free("gpu:1g.10gb:1", node(memory_used_mb=60000), memory=1500) == 2
    assert free("gpu:1g.10gb:1", node(cores_used=32)) == 0


@pytest.mark.parametrize(
    ("fields", "cores", "memory", "room"),
    [
        ({"cores": 7}, 2, 1000, 3),
        ({"cores": 3}, 1, 1000, 3),
        ({"cores": 3}, 0, 1000, 3),
        ({"memory_mb": 3500}, 1, 1000, 3),
        ({"memory_mb": 3}, 1, 1, 3),
        ({"memory_mb": 3}, 1, 0, 3),
    ],
)
def test_part_of_a_slice_is_none(fields: dict[str, int], cores: int, memory: int, room: int) -> None:
    """Cores and memory that are not enough for one more slice are none, on an idle node as on all nodes."""
    two = snapshot(node("n1", **fields), node("n2", **fields))
    expected = Availability(2 * room, 0, 0, 2 * room, None)
    found = availability("gpu:1g.10gb:1", Place("gpu"), cores, memory, two)
    assert found == expected
    assert isinstance(found.free, int)
    assert availability(None, Place("gpu"), cores, memory, two) == expected


def test_what_comes_beside_a_device_is_needed_on_the_same_node_and_does_not_hide_its_end() -> None:
    """Local disk that is out leaves none free; a job that holds the device alone frees it when it ends."""
    held = Job(1, "bob", "RUNNING", nodes=("n1",), gres=(Gres("gpu", "h100", 1),), end=9.0)
    devices = (Gres("gpu", "h100", 2), Gres("tmpdisk", "", 100))
    seen = snapshot(node(gres=devices, gres_used=(Gres("tmpdisk", "", 60),)), jobs=(held,))
    assert availability("gpu:h100:1,tmpdisk:50", Place("gpu"), 1, 1, seen).free == 0
    found = availability("gpu:h100:1,tmpdisk:40", Place("gpu"), 1, 1, seen)
    assert (found.free, found.next_free) == (1, 9.0)


def test_devices_of_no_stated_type_are_out_whichever_they_are() -> None:
    """What is in use without a type may be any device; what a node has without one is no h100."""
    h100 = (Gres("gpu", "h100", 2),)
    assert free("gpu:h100:1", node(gres=h100, gres_used=(Gres("gpu", "", 1),))) == 1
    assert free("gpu:h100:1", node(gres=(*h100, Gres("gpu", "", 2)))) == 2
    assert free("gpu:1", node(gres_sharded=(Gres("gpu", "h100", 1),))) == 8


@pytest.mark.parametrize(("held", "left"), [("h100", 5), ("a100", 8), ("", 5)])
def test_shards_of_another_type_are_other_shards(held: str, left: int) -> None:
    """Shards are counted by type, as jobs hold them and as nodes tell; those without one may be any."""
    both = (Gres("shard", "h100", 8), Gres("shard", "a100", 8))
    holder = Job(1, "bob", "RUNNING", nodes=("n1",), gres=(Gres("shard", held, 3),))
    assert free("shard:h100:1", node(gres=both), jobs=(holder,)) == left
    assert free("shard:h100:1", node(gres=both, gres_used=(Gres("shard", held, 3),))) == left


def test_shards_of_a_gpu_that_is_out_whole_are_gone() -> None:
    """As many as are its part of all shards; shards that lie on no GPU stay."""
    gpus: dict[str, Any] = {"gres_used": (Gres("gpu", "h100", 1),)}
    assert free("shard:1", node(gres=(Gres("gpu", "h100", 2), Gres("shard", "", 7)), **gpus)) == 4
    assert free("shard:1", node(gres=(Gres("gpu", "h100", 2), Gres("shard", "h100", 8)), **gpus)) == 4
    assert free("shard:1", node(gres=(Gres("shard", "", 8),))) == 8


def test_a_gpu_of_which_a_shard_is_out_is_not_free_and_the_other_way_round() -> None:
    """Whole GPUs and shards of the same devices exclude each other, MIG instances are untouched."""
    shared: dict[str, Any] = {
        "gres": (Gres("gpu", "1g.10gb", 7), Gres("gpu", "h100", 2), Gres("shard", "h100", 8)),
        "gres_used": (Gres("gpu", "h100", 1), Gres("shard", "h100", 1)),
        "gres_sharded": (Gres("gpu", "h100", 1),),
    }
    sharing = Job(1, "bob", "RUNNING", nodes=("n1",), gres=(Gres("shard", "", 3),))
    assert free("gpu:h100:1", node(**shared)) == 0
    assert free("gpu:1g.10gb:1", node(**shared)) == 7
    # One GPU is out whole (4 of 8 shards); 22.05 counts one device where a job holds three shards.
    assert free("shard:1", node(**shared), jobs=(sharing,)) == 1
    untyped: dict[str, Any] = {**shared, "gres_sharded": (Gres("gpu", "", 2),), "gres_used": ()}
    assert free("gpu:h100:1", node(**untyped)) == 0
    assert free("gpu:1g.10gb:1", node(**untyped)) == 7


def test_drained_and_reserved_nodes_are_told_apart() -> None:
    """On unusable nodes it is drained, on reserved ones kept; a reservation's nodes count for its slices."""
    nodes = (
        node("n1"),
        node("n2", states=frozenset({"IDLE", "DRAIN"})),
        node("n3", states=frozenset({"RESERVED", "IDLE"})),
    )
    assert availability("gpu:h100:1", Place("gpu"), 1, 1000, snapshot(*nodes)) == Availability(
        2, 0, 2, 6, None, kept=2
    )
    assert availability("gpu:h100:1", Place("gpu"), 1, 1000, snapshot(*nodes), reserved=True).free == 4


def test_other_partitions_do_not_count() -> None:
    """Only nodes of the slice's own partition offer it."""
    assert availability("gpu:h100:1", Place("cpu"), 1, 1, snapshot(node())) == Availability(0, 0, 0, 0, None)


def test_the_next_free_slice_is_the_first_end_of_a_holder() -> None:
    """Jobs that end without a time, hold something else, or wait, do not count."""
    jobs = (
        job(1, end=500.0),
        job(2, end=None),
        job(3, gres="1g.10gb", end=50.0),
        job(4, end=10.0, state="PENDING"),
        job(5, gres="", end=300.0),
        job(6, end=400.0, state="SUSPENDED"),
        job(7, end=5.0, state="COMPLETED"),
    )
    seen = snapshot(node(), jobs=jobs)
    assert availability("gpu:h100:1", Place("gpu"), 1, 1000, seen).next_free == 300.0
    assert availability("gpu:1g.10gb:1", Place("gpu"), 1, 1000, seen).next_free == 50.0
    assert availability(None, Place("gpu"), 1, 1000, seen).next_free == 50.0


def test_a_real_busy_node_is_counted_right() -> None:
    """From Slurm's own output: 3 of 4 instances, one GPU whole and one as shards in use."""
    nodes = parse_nodes((CORPUS / "nodes-22.05-busy.txt").read_text())
    seen = Snapshot.of(0.0, {}, nodes)
    counts = [
        availability(gres, Place("gpu"), 1, 100, seen).free
        for gres in ("gpu:1g.10gb:1", "gpu:h100:1", "shard:1")
    ]
    assert counts == [1, 0, 3]


@given(
    used=st.integers(0, 9),
    cores_used=st.integers(0, 40),
    memory_used=st.integers(0, 70000),
    sharded=st.integers(0, 4),
    want=st.sampled_from(["gpu:1g.10gb:1", "gpu:h100:1", "gpu:h100:2", "gpu:3", "shard:1", None]),
    states=st.sampled_from([{"IDLE"}, {"MIXED", "PLANNED"}, {"DOWN"}, {"IDLE", "NEW_FLAG"}]),
)
def test_the_counts_always_add_up(
    used: int, cores_used: int, memory_used: int, sharded: int, want: str | None, states: set[str]
) -> None:
    """Whatever Slurm reports, nothing is negative and the total is the sum of its parts."""
    one = node(
        gres=(Gres("gpu", "1g.10gb", 7), Gres("gpu", "h100", 2), Gres("shard", "", 8)),
        gres_used=(Gres("gpu", "1g.10gb", used),),
        gres_sharded=(Gres("gpu", "h100", sharded),),
        cores_used=cores_used,
        memory_used_mb=memory_used,
        states=frozenset(states),
    )
    seen = availability(want, Place("gpu"), 2, 3000, snapshot(one))
    assert min(seen.free, seen.in_use, seen.drained) >= 0
    assert seen.free + seen.in_use + seen.drained == seen.total


@pytest.mark.parametrize("gres", ["gpu:a100:1", "tpu:1"])
def test_what_no_node_has_is_not_there(gres: str) -> None:
    """A slice that the cluster lost is zero of zero."""
    assert availability(gres, Place("gpu"), 1, 1000, snapshot(node())).total == 0
