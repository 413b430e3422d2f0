"""Whose session a job is."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from skiva_slurm.tags import RUN_ID, ClusterTag, RunTag, Tag

letters = st.characters()  # lone surrogates too, as names that are no UTF-8 have them
names = st.text(letters, min_size=1, max_size=40)
servers = st.text(letters, max_size=30)
runs = st.from_regex(RUN_ID, fullmatch=True)
nonces = st.from_regex(r"[0-9a-f]{16}", fullmatch=True)


@example("\udc80", "\ud800", "0123456789abcdef")
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
        "skiva:hub1:alice/_ff:0123456789",
        "skiva:hub1:alice/lab/:0123456789",
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
        ("hub", "a" * 979, "0123456789", "user"),
    ],
)
def test_a_tag_that_could_not_be_read_back_is_not_made(hub: str, user: str, nonce: str, field: str) -> None:
    """The error names the field."""
    with pytest.raises(ValueError, match=f"^{field}:"):
        Tag(hub, user, "", nonce)


def test_the_longest_tag_is_read_back() -> None:
    """A tag fills a comment's thousand letters; `test_a_tag_that_could_not_be_read_back…` has one more."""
    tag = Tag("hub", "a" * 978, "", "0123456789")
    assert len(tag.text) == 1000
    assert Tag.parse(tag.text) == tag
    assert Tag.parse(f"{tag.text}0") is None


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


clusters = st.builds(ClusterTag, runs, st.integers(0, 10**10 - 1), st.integers(0, 10**10 - 1))


@given(clusters)
def test_a_clusters_mark_is_read_back(tag: ClusterTag) -> None:
    """Whatever a cluster submits is known again, and for nothing else."""
    assert tag.text == f"skiva-cluster:{tag.cluster}:{tag.batch}:{tag.owner}"
    assert ClusterTag.parse(tag.text) == tag
    assert (RunTag.parse(tag.text), Tag.parse(tag.text)) == (None, None)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "skiva-cluster:261122-abcdefgh:1",
        "skiva-cluster:261122-abcdefgh:1:2:3",
        "skiva-cluster:261122-abcdefg:1:2",
        "skiva-cluster:261122-abcdefgh:01:2",
        "skiva-cluster:261122-abcdefgh:1:",
        "skiva-cluster:261122-abcdefgh:1:2\n",
        "skiva-cluster:261122-abcdefgh:1:-2",
        "skiva-cluster:261122-abcdefgh:1:12345678901",
        "skiva-cluster:261122-abcdefgh:\u0661:2",
        "skiva-run:261122-abcdefgh:1:2",
    ],
)
def test_what_is_nearly_a_clusters_mark_is_none(text: str) -> None:
    """Fewer or more parts, numbers that are spelt otherwise, and whatever comes after."""
    assert ClusterTag.parse(text) is None


@pytest.mark.parametrize(
    ("cluster", "batch", "owner", "field"),
    [
        ("", 1, 1, "cluster"),
        ("latest", 1, 1, "cluster"),
        ("261122-abcdefgh", -1, 1, "batch"),
        ("261122-abcdefgh", 10**10, 1, "batch"),
        ("261122-abcdefgh", 1, -1, "owner"),
        ("261122-abcdefgh", 1, 10**10, "owner"),
    ],
)
def test_a_clusters_mark_is_made_of_an_id_and_two_numbers(
    cluster: str, batch: int, owner: int, field: str
) -> None:
    """The error names the field."""
    with pytest.raises(ValueError, match=f"^{field}: must be a"):
        ClusterTag(cluster, batch, owner)
