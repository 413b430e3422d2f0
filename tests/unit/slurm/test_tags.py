"""Whose session a job is."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skiva_slurm.tags import RUN_ID, RunTag, Tag

names = st.text(min_size=1, max_size=40)
servers = st.text(max_size=30)
runs = st.from_regex(RUN_ID, fullmatch=True)
nonces = st.from_regex(r"[0-9a-f]{16}", fullmatch=True)


@given(names, servers, nonces)
def test_every_name_survives(user: str, server: str, nonce: str) -> None:
    """Any user and server name comes back from the tag, which is plain letters that no option can hide in."""
    tag = Tag("skiva", user, server, nonce)
    assert Tag.parse(tag.text) == tag
    assert re.fullmatch(r"skiva:[A-Za-z0-9:/._-]*", tag.text)


@given(st.tuples(names, servers), st.tuples(names, servers))
def test_two_owners_never_share_a_key(one: tuple[str, str], other: tuple[str, str]) -> None:
    """Distinct pairs of user and server have distinct keys."""
    keys = [Tag("skiva", *owner, "0123456789").owner for owner in (one, other)]
    assert (keys[0] == keys[1]) is (one == other)


@given(st.text(max_size=200))
def test_only_exact_tags_are_tags(text: str) -> None:
    """Whatever parses is spelt exactly as this hub would spell it."""
    tag = Tag.parse(text)
    assert tag is None or tag.text == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "(null)",
        "skiva:hub1:alice:0123456789",
        "skiva:hub1:alice/:0123456789\n",
        "skiva:hub1:alice/:0123456789 ",
        "skiva:hub1:alice//:0123456789",
        "skiva:hub1:/x:0123456789",
        "skiva:Hub1:alice/:0123456789",
        "skiva:hub1:alice/:short",
        "skiva:hub1:_61lice/:0123456789",
        "skiva:hub1:_FFlice/:0123456789",
        "skiva:hub1:_ff/:0123456789",
        "other:hub1:alice/:0123456789",
        "skiva:hub1:alice/:0123456789:more",
        "skiva:hub1:" + "a" * 2000 + "/:0123456789",
    ],
)
def test_what_is_nearly_a_tag_is_none(text: str) -> None:
    """Other people's comments, second spellings and trailing bytes are no tags."""
    assert Tag.parse(text) is None


@pytest.mark.parametrize(
    ("hub", "user", "nonce", "field"),
    [
        ("Hub", "alice", "0123456789", "hub"),
        ("hub", "", "0123456789", "user"),
        ("hub", "alice", "short", "nonce"),
        ("hub", "a" * 1000, "0123456789", "user"),
        ("hub\n", "alice", "0123456789", "hub"),
    ],
)
def test_a_tag_that_could_not_be_read_back_is_not_made(hub: str, user: str, nonce: str, field: str) -> None:
    """The error names the field."""
    with pytest.raises(ValueError, match=f"^{field}:"):
        Tag(hub, user, "", nonce)


@given(names, servers, nonces, runs)
def test_a_run_is_never_taken_for_a_session_nor_a_session_for_a_run(
    user: str, server: str, nonce: str, run: str
) -> None:
    """What ends sessions without an owner can therefore not end a run."""
    session, mark = Tag("skiva", user, server, nonce).text, RunTag(run).text
    assert RunTag.parse(mark) == RunTag(run)
    assert RunTag.parse(session) is None
    assert Tag.parse(mark) is None


@given(st.text(max_size=60) | runs.map("skiva-run:{}\n".format) | runs.map("skiva-run: {}".format))
def test_only_exact_marks_of_runs_are_marks(text: str) -> None:
    """Whatever parses is spelt exactly as a submission spells it, and no other digits are digits."""
    mark = RunTag.parse(text)
    assert mark is None or (mark.text == text and text.isascii())


@pytest.mark.parametrize(
    "text",
    [
        "skiva-run:",
        "skiva-run:261122-abcdefg",
        "skiva-run:261122-abcdefgh:1",
        "skiva-run:261122-ABCDEFGH",
        "skiva-run:\u0662\u0666\u0661\u0661\u0662\u0662-abcdefgh",
        "SKIVA-RUN:261122-abcdefgh",
        "skiva:261122-abcdefgh",
    ],
)
def test_what_is_nearly_a_runs_mark_is_none(text: str) -> None:
    """Other spellings, and whatever comes after."""
    assert RunTag.parse(text) is None


@pytest.mark.parametrize("run", ["", "1", "261122-abcdefgh\n", "../../x", "261122-abcdefgh/x", "latest"])
def test_a_runs_mark_is_made_of_an_id_alone(run: str) -> None:
    """An id that could be a path or break a line is refused."""
    with pytest.raises(ValueError, match=r"^run:"):
        RunTag(run)
