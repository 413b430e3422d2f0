"""Slurm's short form for node names."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skiva_slurm.errors import Unreadable
from skiva_slurm.hostlist import expand


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("n[1-3,07],gpu1", "n1 n2 n3 n07 gpu1"),
        ("n1", "n1"),
        ("n[001-003]", "n001 n002 n003"),
        ("n[08-11]", "n08 n09 n10 n11"),
        ("r[1-2]n[01-02]", "r1n01 r1n02 r2n01 r2n02"),
        ("gpu[1-2]-ib,login.example.org", "gpu1-ib gpu2-ib login.example.org"),
        ("n[5]", "n5"),
        ("", ""),
        ("(null)", ""),
        ("n/a", ""),
    ],
)
def test_short_forms_are_spelt_out(text: str, names: str) -> None:
    """Ranges, leading zeros, several brackets and Slurm's words for nothing."""
    assert " ".join(expand(text)) == names


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("n[1-3", "is cut off or garbled"),
        ("n1-3]", "is cut off or garbled"),
        ("n[3-1]", "has a range that runs backwards or too far"),
        ("n[1-x]", "has a range that is none"),
        ("n[]", "has a range that is none"),
        ("n1,,n2", "is cut off or garbled"),
        (",n1", "is cut off or garbled"),
        ("n 1", "has a name that no node can have"),
        ("n[0-999999999]", "has a range that runs backwards or too far"),
        ("n[0-999][0-999]", "is too long"),
        ("n1;rm", "has a name that no node can have"),
        ("[[1-2]]", "is cut off or garbled"),
    ],
)
def test_what_is_cut_off_or_garbled_is_not_guessed(text: str, why: str) -> None:
    """A list that is not whole, or absurdly long, is refused instead of naming wrong nodes."""
    with pytest.raises(Unreadable, match=f"^a list of nodes {why}$"):
        expand(text)


@pytest.mark.parametrize(
    ("text", "beyond"),
    [
        ("n[1-65536]", "n[1-65537]"),
        ("n[1-65535,65536]", "n[1-65535,65536-65537]"),
        ("n[1-256]m[1-256]", "n[1-256]m[1-257]"),
        ("n[1-65535],m", "n[1-65536],m"),
    ],
)
def test_as_many_nodes_as_a_cluster_may_have_are_spelt_out(text: str, beyond: str) -> None:
    """The largest list is read whole, in one range or several; one node more is too many."""
    assert len(expand(text)) == 65536
    with pytest.raises(Unreadable):
        expand(beyond)


@given(st.lists(st.from_regex(r"[a-z]{1,8}[0-9]{0,4}", fullmatch=True), min_size=1, max_size=20))
def test_plain_lists_stay_as_they_are(names: list[str]) -> None:
    """A list without brackets is its names."""
    assert expand(",".join(names)) == tuple(names)


@given(st.text(max_size=200))
def test_any_text_is_names_or_unreadable(text: str) -> None:
    """No text does anything else."""
    with suppress(Unreadable):
        assert all(name and not name.isspace() for name in expand(text))
