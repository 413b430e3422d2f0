"""What the spawn page says of each slice."""

from dataclasses import replace

import pytest
from tests.unit.pages import samples
from tests.unit.pages.samples import NOW

from skiva_hub.pages.cards import Card, board, cards, stale_after
from skiva_hub.permitted import Permitted
from skiva_hub.site import Site
from skiva_slurm.jobs import Array, Snapshot
from skiva_slurm.reservations import Reservation

USER = "researcher1"


def _card(slice_id: str, snapshot: Snapshot | None, site: Site | None = None) -> Card:
    found = cards(Permitted(site or samples.site()), USER, frozenset(), snapshot, NOW)
    return next(card for card in found if card.id == slice_id)


def test_only_what_the_person_may_pick_is_shown_in_the_operators_order() -> None:
    """A slice of a partition that is kept for others is not on the page."""
    site, snapshot = samples.site(), samples.snapshot()
    assert [c.id for c in cards(Permitted(site), USER, frozenset(), snapshot, NOW)] == [
        "cpu",
        "1g.10gb",
        "h100",
        "shard",
    ]
    assert "2xh100" in [c.id for c in cards(Permitted(site), USER, frozenset({"staff"}), snapshot, NOW)]


def test_a_free_slice_starts_now() -> None:
    """With instances free and nobody in line, the card promises a start now."""
    card = _card("1g.10gb", samples.snapshot(nodes=(samples.node(mig_used=3),)))
    assert (card.free, card.in_use, card.drained, card.total) == (4, 3, 0, 7)
    assert (card.status, card.starts) == ("free", "Starts now.")


def test_a_full_slice_names_when_the_next_is_free_at_the_latest() -> None:
    """The time is the end of the running job that ends first, and is said to be a bound."""
    card = _card("1g.10gb", samples.full())
    assert (card.status, card.free) == ("busy", 0)
    assert card.starts == "Free by {time} at the latest, when a running session reaches its limit."
    assert card.starts_at == "2026-09-21T14:38:20Z"


def test_those_who_wait_are_counted_and_come_first() -> None:
    """Jobs in line are named; those that are held back are not in line."""
    held = samples.pending(302, reason="JobHeldUser")
    limited = samples.pending(303, reason="QOSMaxGRESPerUser")
    card = _card("1g.10gb", samples.full(samples.pending(300), samples.pending(301), held, limited))
    assert card.waiting == 2
    assert card.starts.startswith("2 jobs wait ahead of you; the next one is free by {time}")


def test_of_a_sweep_those_tasks_count_that_may_start() -> None:
    """One row of an array stands for many; those that its own limit holds back are in nobody's way."""
    limited = replace(samples.pending(300), array=Array(300, "3-199%8"))
    whole = replace(samples.pending(301), array=Array(301, "0-3"))
    waits_for_itself = replace(samples.pending(302, reason="JobArrayTaskLimit"), array=Array(302, "5-90%2"))
    assert _card("1g.10gb", samples.full(limited, whole, waits_for_itself)).waiting == 12


def test_a_free_slice_that_others_wait_for_is_not_promised() -> None:
    """One instance free and one job in line for it is not a start now."""
    snapshot = samples.snapshot(samples.pending(300), nodes=(samples.node(mig_used=6),))
    card = _card("1g.10gb", snapshot)
    assert (card.status, card.free) == ("busy", 1)
    assert card.starts == "1 free, but 1 job waits ahead of you."


def test_drained_nodes_are_out_of_service() -> None:
    """What a drained node has is neither free nor in use."""
    card = _card("1g.10gb", samples.snapshot(nodes=(samples.node(state="IDLE+DRAIN"),)))
    assert (card.status, card.free, card.drained) == ("out", 0, 7)
    assert card.starts == "None is in service at the moment; a session would wait."


@pytest.mark.parametrize(
    ("plain", "reserved", "free", "words"),
    [
        (7, 3, 0, "Up to 4 on nodes that are partly reserved: a session may wait."),
        (6, 3, 1, "1 free, and up to 4 more on nodes that are partly reserved: a session may wait."),
        (5, 3, 2, "Starts now."),
        (7, 7, 0, "1 job waits ahead of you; the next one is free by {time} at the latest."),
    ],
)
def test_what_a_reservation_leaves_of_a_node_is_neither_promised_nor_out_of_service(
    plain: int, reserved: int, free: int, words: str
) -> None:
    """Slurm tells of a node only that some of it is reserved; `srun` may start on the rest at once."""
    nodes = (
        samples.node(mig_used=plain),
        replace(samples.node(mig_used=reserved, state="IDLE+RESERVED"), name="n2"),
    )
    snapshot = replace(samples.full(samples.pending(300)), nodes={node.name: node for node in nodes})
    card = _card("1g.10gb", snapshot)
    assert (card.free, card.kept, card.drained, card.total) == (free, 7 - reserved, 0, 14)
    assert card.starts == words
    assert card.status == {"Starts now.": "free"}.get(words, "unknown" if card.kept else "busy")


def _course(held: Reservation | str | None) -> Card:
    """The card of a slice with a reservation, of which a reading has `held`; a text stands for nothing."""
    snapshot = samples.snapshot(
        nodes=(samples.node(), replace(samples.node(state="IDLE+RESERVED"), name="n2"))
    )
    if not isinstance(held, str):
        snapshot = replace(snapshot, reservations={"course": held})
    return _card("1g.10gb", snapshot, samples.site().filled_in({"reservation": "course"}))


def test_a_reservation_that_runs_bounds_the_hours_and_names_its_nodes() -> None:
    """What is free is counted on its nodes; the longest session ends with it, and the card says when."""
    card = _course(Reservation("course", NOW - 600, NOW + 5430, ("n2",)))
    assert (card.status, card.starts, card.free, card.total) == ("free", "Starts now.", 7, 7)
    assert (card.max_hours, card.longest) == (1.5, "90 min")
    assert card.ends == "Its reservation ends at {time}, and all sessions in it."
    assert card.ends_at == "2026-09-21T15:43:50Z"
    assert card.startable


def test_a_reservation_that_has_not_begun_is_waited_for() -> None:
    """A session may be asked for before; nothing is called free until then."""
    card = _course(Reservation("course", NOW + 3600, NOW + 7200, ("n2",)))
    assert (card.status, card.free, card.startable, card.max_hours) == ("busy", 0, True, 1.0)
    assert (
        card.starts == "Its reservation begins at {time}; a session that is started before waits until then."
    )
    assert card.starts_at == "2026-09-21T15:13:20Z"


@pytest.mark.parametrize("held", [None, Reservation("course", NOW - 7200, NOW)])
def test_without_its_reservation_a_slice_cannot_be_started(held: Reservation | None) -> None:
    """It is over, also where the reading is older than its end, or Slurm has none of that name."""
    card = _course(held)
    assert (card.status, card.free, card.startable, card.ends) == ("out", 0, False, "")
    assert card.starts == (
        "Its reservation course does not exist, or not any more: choose another slice, or ask the operators."
    )


def test_a_reservation_of_which_nothing_is_known_bounds_nothing() -> None:
    """It was not read, or may be hidden from the hub; one that is flexible lets its jobs run beside it."""
    flexible = Reservation("course", NOW + 60, NOW + 120, ("n2",), flexible=True)
    for card in (_course("not read"), _course(flexible)):
        assert (card.status, card.free, card.total, card.startable) == ("free", 14, 14, True)
        assert (card.longest, card.ends) == (_card("1g.10gb", samples.snapshot()).longest, "")


def test_an_old_reading_tells_nothing_of_a_reservation() -> None:
    """Somebody may have made it since."""
    old = replace(samples.snapshot(taken=NOW - 3600), reservations={"course": None})
    card = _card("1g.10gb", old, samples.site().filled_in({"reservation": "course"}))
    assert (card.status, card.startable) == ("unknown", True)


def test_without_a_reading_nothing_is_claimed() -> None:
    """Before the first reading every number is unknown, and the page says so."""
    site = samples.site()
    card = _card("1g.10gb", None)
    assert (card.status, card.free, card.total, card.waiting) == ("unknown", None, None, None)
    told = board(Permitted(site), USER, frozenset(), None, NOW)
    assert told["taken"] is None
    assert told["notice"]["text"].startswith("The scheduler has not answered yet")


def test_an_old_reading_is_not_shown_as_the_present() -> None:
    """A silent scheduler is named with the age and the time of the numbers."""
    site, snapshot = samples.site(), samples.full()
    now = NOW + 40
    assert stale_after(site) < 40
    told = board(Permitted(site), USER, frozenset(), snapshot, now)
    assert told["notice"] == {
        "text": "The scheduler has not answered for 40 s; numbers are from {time}.",
        "at": "2026-09-21T14:13:20Z",
    }
    assert {card["status"] for card in told["slices"]} == {"unknown"}
    assert board(Permitted(site), USER, frozenset(), snapshot, NOW + 5)["notice"] is None


@pytest.mark.parametrize(
    ("slice_id", "fenced", "words"),
    [
        ("1g.10gb", True, "Only yours: nobody else can open this device."),
        ("1g.10gb", False, "Reserved for you, but this site's nodes do not lock others out."),
        ("shard", True, "Shared: others compute on the same GPU."),
        ("cpu", True, "No GPU."),
    ],
)
def test_the_isolation_is_said_as_it_is(slice_id: str, fenced: bool, words: str) -> None:
    """A shared or unfenced device is never called one's own."""
    assert _card(slice_id, samples.snapshot(), site=samples.site(fenced=fenced)).isolation == words


def test_every_card_tells_its_size_and_longest_session() -> None:
    """Cores, memory and the least of all limits on the hours are on the card."""
    card = _card("h100", samples.snapshot())
    assert (card.cores, card.memory, card.gpu_memory, card.longest) == (8, "64 GB", "80 GB", "4 h")
    assert card.simulated


def test_other_peoples_names_never_reach_the_page() -> None:
    """Numbers are counted over everybody's jobs, but no user, job or node of theirs is in the JSON."""
    secret = replace(samples.running(777, user="mallory"), tag="skiva:x:mallory/:abcdefgh")
    text = repr(board(Permitted(samples.site()), USER, frozenset(), samples.full(secret), NOW))
    assert not any(word in text for word in ("mallory", "777", "n1", "user3"))
