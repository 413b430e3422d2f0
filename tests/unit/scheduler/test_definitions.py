"""Definitions on a shared disk, who of several servers looks after them, and what is due."""

import os
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from jupyter_scheduler.models import UpdateJobDefinition
from tests.support.waiting import wait_until

from skiva.runs.wish import BadWish
from skiva.scheduler import timer as timers
from skiva.scheduler.card import Card
from skiva.scheduler.definitions import Definition, Definitions
from skiva.scheduler.described import described, updated
from skiva.scheduler.folders import checked_folder
from skiva.scheduler.jobs import Jobs
from skiva.scheduler.leader import Leader
from skiva.scheduler.sending import Staged
from skiva.scheduler.timer import Timer
from skiva.scheduler.unsent import note_unsent

_ID = "01234567-89ab-cdef-0123-456789abcdef"
_NOW = 1_795_348_830.0  # 30 seconds after a full minute


def _definition(**facts: Any) -> Definition:
    card = Card(name="Nightly", input_filename="n.ipynb", runtime_environment_name="base")
    known: dict[str, Any] = {"id": _ID, "card": card, "notebook": "/data/n.ipynb", "schedule": "* * * * *"}
    return Definition(**{**known, "created": 1.0, "updated": 1.0, "since": 1.0, **facts})


@pytest.fixture
def store(tmp_path: Path) -> Definitions:
    """One with one definition, which is due every minute."""
    made = Definitions(tmp_path / "definitions")
    made.add(_definition(), Staged(b"{}", Path("/data/n.ipynb")))
    return made


def test_a_definition_is_kept_and_forgotten_whole(store: Definitions, tmp_path: Path) -> None:
    """What is added is found with its notebook and folder; drafts and what cannot be read are left out."""
    folder = tmp_path / "folder"
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "x.csv").write_text("1")
    other = "11111111-89ab-cdef-0123-456789abcdef"
    card = _definition().card.changed({"package_input_folder": True})
    store.add(_definition(id=other, card=card), Staged(b"[]", folder / "n.ipynb", folder))
    (tmp_path / "definitions" / ".new-draft").mkdir()
    (tmp_path / "definitions" / "22222222-89ab-cdef-0123-456789abcdef").mkdir()

    assert [one.id for one in store.all()] == [_ID, other]
    staged = store.staged(store.get(other))
    assert staged.content == b"[]"
    assert staged.folder is not None
    assert (staged.folder / "data" / "x.csv").read_text() == "1"
    store.remove(other)
    assert [one.id for one in store.all()] == [_ID]
    for name in (other, "..", "/etc", "x-y"):
        with pytest.raises(LookupError):
            store.get(name)


def test_readers_never_see_half_a_definition(store: Definitions) -> None:
    """While one server writes a definition again and again, another always reads it whole."""
    stop = threading.Event()

    def write() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            name = "x" * (1 + number % 5000)
            store.replace(_definition(card=_definition().card.changed({"name": name})))

    writer = threading.Thread(target=write)
    writer.start()
    names: set[str] = set()
    try:
        end = time.monotonic() + 30
        while len(names) < 100 and time.monotonic() < end:
            names.add(store.get(_ID).card.name)
    finally:
        stop.set()
        writer.join()
    assert len(names) >= 100, "what is read meanwhile changes"
    assert all(set(name) == {"x"} for name in names - {"Nightly"})


def test_another_schedule_holds_from_now_on() -> None:
    """A change of the schedule or its pause forgets what was due before; other changes do not."""
    same = updated(_definition(), UpdateJobDefinition(name="Daily", schedule="* * * * *"), 100.0)
    assert (same.card.name, same.since, same.updated) == ("Daily", 1.0, 100.0)
    paused = updated(same, UpdateJobDefinition(active=False), 200.0)
    assert (paused.active, paused.since) == (False, 200.0)
    resumed = updated(paused, UpdateJobDefinition(active=True, compute_type="cpu, 8 h"), 300.0)
    assert (resumed.since, resumed.card.compute_type) == (300.0, "cpu, 8 h")
    told = described(resumed)
    assert (told.name, told.active, told.update_time) == ("Daily", True, 300_000)


def test_one_leads_and_another_takes_over(tmp_path: Path) -> None:
    """One of several leads for as long as it says so; when it leaves or is not heard of, another does."""
    place = tmp_path / "deep" / "leader-base"
    first, second, third = (Leader(place, patience=30) for _ in range(3))
    assert [first.leads(), second.leads(), first.leads(), third.leads()] == [True, False, True, False]
    first.leave()
    assert [third.leads(), second.leads(), third.leads()] == [True, False, True]
    old = time.time() - 31
    os.utime(place, (old, old))
    assert [second.leads(), third.leads(), second.leads()] == [True, False, True]
    second.leave()
    third.leave()
    assert list(place.parent.iterdir()) == []


def test_many_at_once_have_one_leader(tmp_path: Path) -> None:
    """Of many servers that begin at the same moment, after one that died, exactly one leads in the end."""
    place = tmp_path / "leader"
    dead = Leader(place)
    assert dead.leads()
    os.utime(place, (1, 1))
    leaders = [Leader(place, patience=60) for _ in range(8)]
    together = threading.Barrier(len(leaders))

    def begin(leader: Leader) -> None:
        together.wait()
        for _ in range(20):
            leader.leads()

    threads = [threading.Thread(target=begin, args=(leader,)) for leader in leaders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(leader.leads() for leader in leaders) == 1


class _Sent:
    """Stands where Slurm would be: the keys of what was sent."""

    def __init__(self, store: Definitions, place: Path) -> None:
        self.definitions, self.place = store, place
        self.keys: list[str] = []
        self.refuse = False

    def send_defined(self, definition: Definition, key: str) -> Any:  # noqa: ARG002
        if self.refuse:
            raise BadWish("slice: it is gone")
        self.keys.append(key)
        return SimpleNamespace(id="261122-aaaaaaaa")

    def note_unsent(self, definition: Definition, key: str, sentence: str) -> None:
        note_unsent(self.place, definition.job_card(), self.definitions.staged(definition), key, sentence)


@pytest.fixture
def sent(store: Definitions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> _Sent:
    """A scheduler of a session in the environment `base`."""
    offer = SimpleNamespace(environment=SimpleNamespace(id="base"))
    monkeypatch.setattr(timers, "find_offer", lambda: offer)
    return _Sent(store, tmp_path)


def test_what_is_due_is_sent_once(sent: _Sent) -> None:
    """Two servers that look again and again send it once, also when the one that leads dies in between."""
    first, second = Timer(sent), Timer(sent)
    due = f"schedule:{_ID}:{int(_NOW // 60) * 60}"
    for timer in (first, second, first, second):
        timer.tick(_NOW)
    assert sent.keys == [due]
    os.utime(sent.place / "leader-base", (1, 1))
    second.tick(_NOW + 20)
    assert sent.keys == [due]
    second.tick(_NOW + 40)
    assert sent.keys == [due, f"schedule:{_ID}:{int(_NOW // 60) * 60 + 60}"]


def test_a_server_that_dies_between_sending_and_noting(sent: _Sent, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next server sends the same with the same key, which is the same run."""

    def full(*_: object) -> None:
        raise OSError("no space left")

    with monkeypatch.context() as broken:
        broken.setattr(Definitions, "note_fired", full)
        with pytest.raises(OSError, match="no space"):
            Timer(sent).tick(_NOW)
    os.utime(sent.place / "leader-base", (1, 1))
    Timer(sent).tick(_NOW + 10)
    assert len(sent.keys) == 2
    assert len(set(sent.keys)) == 1


@pytest.mark.parametrize(
    ("facts", "due"),
    [
        ({}, True),
        ({"active": False}, False),
        ({"schedule": None}, False),
        ({"since": _NOW - 10}, False),
        ({"schedule": "0 0 1 1 *"}, False),
        ({"schedule": "broken"}, False),
        ({"schedule": time.strftime("%M %H * * *", time.gmtime(_NOW - 240))}, True),
        ({"schedule": time.strftime("%M %H * * *", time.gmtime(_NOW - 400))}, False),
        ({"card": Card(name="a", input_filename="b", runtime_environment_name="other")}, False),
    ],
)
def test_what_is_due(sent: _Sent, facts: dict[str, Any], due: bool) -> None:
    """What holds and was due in the last five minutes is sent; what is of another environment is not."""
    sent.definitions.replace(_definition(**facts))
    Timer(sent).tick(_NOW)
    assert bool(sent.keys) == due


def test_what_cannot_be_sent_is_not_tried_for_ever(sent: _Sent) -> None:
    """A refusal is shown as a job that failed, and is over with that time; the next time is tried again."""
    sent.refuse = True
    timer = Timer(sent)
    timer.tick(_NOW)
    sent.refuse = False
    timer.tick(_NOW + 10)
    assert sent.keys == []
    (job,) = Jobs(sent.place, sent.place).all()
    assert (job.status.value, job.status_message) == ("FAILED", "slice: it is gone")
    assert (job.name, job.job_definition_id) == ("Nightly", _ID)
    timer.tick(_NOW + 60)
    assert len(sent.keys) == 1


async def test_looking_goes_on_after_a_failure(sent: _Sent, monkeypatch: pytest.MonkeyPatch) -> None:
    """A look that fails is followed by others."""
    import asyncio

    looks: list[float] = []

    def tick(_: Timer, now: float) -> None:
        looks.append(now)
        if len(looks) == 1:
            raise OSError("away")

    pauses: list[float] = []
    really = asyncio.sleep

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        await really(0)

    monkeypatch.setattr(Timer, "tick", tick)
    monkeypatch.setattr("skiva.scheduler.timer.asyncio.sleep", sleep)
    timer = Timer(sent)
    task = asyncio.ensure_future(timer.start())
    await asyncio.to_thread(wait_until, lambda: len(looks) >= 3, 10, "a third look")
    task.cancel()
    assert set(pauses) == {timer.poll_interval}


def test_a_home_is_no_folder_to_take_along(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that has the home or the runs in it, or too much, is refused in a sentence."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    small, runs = tmp_path / "home" / "project", tmp_path / "home" / "skiva-runs"
    for place in (small, runs):
        place.mkdir(parents=True)
    (small / "a.ipynb").write_text("{}")
    assert checked_folder(small, runs) == small.resolve()
    for place in (tmp_path / "home", tmp_path, runs):
        with pytest.raises(BadWish, match="package_input_folder"):
            checked_folder(place, runs)
    with (small / "big").open("wb") as file:
        file.truncate(2 * 1024**3)
    with pytest.raises(BadWish, match="1 GiB"):
        checked_folder(small, runs)
