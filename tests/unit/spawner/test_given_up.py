"""The list of sessions that a hub has ended itself, from one hub to the next."""

import time
from collections.abc import Callable
from pathlib import Path

from skiva_spawners.given_up import GivenUp


def _list(path: Path) -> GivenUp:
    found = GivenUp(path)
    found.load()
    return found


def test_what_one_hub_gave_up_the_next_one_knows(tmp_path: Path) -> None:
    """Also after a line that was cut off, and never what nobody gave up."""
    path = tmp_path / "given-up"
    first = _list(path)
    for nonce in ("aaaa", "bbbb", "aaaa"):
        first.add(nonce)
    assert "aaaa" in first
    with path.open("a") as file:
        file.write("cccc\n\ndddd 17")
    second = _list(path)
    assert [nonce in second for nonce in ("aaaa", "bbbb", "cccc", "dddd", "", "eeee")] == [True, True] + 4 * [
        False
    ]
    second.add("eeee")
    assert "eeee" in _list(path)


def test_it_does_not_grow_for_ever(tmp_path: Path) -> None:
    """A session of more than a month ago has no job any more."""
    path = tmp_path / "given-up"
    now = time.time()
    path.write_text(f"old {now - 41 * 86400:.0f}\nnew {now - 39 * 86400:.0f}\n")
    found = _list(path)
    assert ("old" in found, "new" in found) == (False, True)
    assert path.read_text().split()[::2] == ["new"]


def test_a_full_disk_ends_nothing(tmp_path: Path, logged: Callable[[str], list[str]]) -> None:
    """This hub knows it all the same, and says what a later one will not."""
    found = GivenUp(tmp_path / "missing" / "given-up")
    found.add("aaaa")
    assert "aaaa" in found
    assert len(logged("aaaa was given up could not be written down")) == 1
