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
    "text",
    [
        "n[1-3",
        "n1-3]",
        "n[3-1]",
        "n[1-x]",
        "n[]",
        "n1,,n2",
        ",n1",
        "n 1",
        "n[0-999999999]",
        "n[0-999][0-999]",
        "n1;rm",
        "[[1-2]]",
    ],
)
def test_what_is_cut_off_or_garbled_is_not_guessed(text: str) -> None:
    """A list that is not whole, or absurdly long, raises instead of naming wrong nodes."""
    with pytest.raises(Unreadable):
        expand(text)


@given(st.lists(st.from_regex(r"[a-z]{1,8}[0-9]{0,4}", fullmatch=True), min_size=1, max_size=20))
def test_plain_lists_stay_as_they_are(names: list[str]) -> None:
    """A list without brackets is its names."""
    assert expand(",".join(names)) == tuple(names)


@given(st.text(max_size=200))
def test_any_text_is_names_or_unreadable(text: str) -> None:
    """No text does anything else."""
    with suppress(Unreadable):
        assert all(name and not name.isspace() for name in expand(text))
