"""Generic resources in every spelling."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skiva_slurm.gres import Gres, parse_gres, parse_sharded

CORPUS = Path(__file__).parent / "corpus"
SPELLINGS = [line.split(" => ") for line in (CORPUS / "gres.txt").read_text().splitlines()]

words = st.from_regex(r"[a-z][a-z0-9_]{0,9}", fullmatch=True).filter(lambda word: word != "no_consume")
types = st.one_of(st.just(""), st.from_regex(r"[a-z][a-z0-9_.]{0,9}", fullmatch=True)).filter(
    lambda word: word != "no_consume"
)
devices = st.builds(Gres, words, types, st.integers(1, 10**6))


@pytest.mark.parametrize(("text", "meaning"), SPELLINGS)
def test_odd_but_real_spellings_are_understood(text: str, meaning: str) -> None:
    """Each spelling of the corpus means what stands beside it."""
    assert ",".join(map(str, parse_gres(text))) == meaning.strip()


@given(st.lists(devices, max_size=6, unique_by=lambda gres: (gres.name, gres.type)))
def test_what_is_written_is_read_back(gres: list[Gres]) -> None:
    """A list survives being written as --gres takes it, with or without the places it lies at."""
    assert parse_gres(",".join(map(str, gres))) == tuple(gres)
    assert parse_gres(",".join(f"{entry}(S:0-1,3)" for entry in gres)) == tuple(gres)


@given(st.lists(devices, max_size=6))
def test_equal_kinds_add_up(gres: list[Gres]) -> None:
    """However a kind is split over entries, its count is the sum."""
    total = sum(entry.count for entry in gres)
    assert sum(entry.count for entry in parse_gres(",".join(map(str, gres)))) == total


@given(st.lists(devices, max_size=4, unique_by=lambda gres: gres.name), st.integers(0, 9))
def test_a_total_beside_its_types_is_not_counted_twice(gres: list[Gres], more: int) -> None:
    """Of a list of TRES only what a total has beyond its types is of no stated type."""
    listed = ["cpu=4", *(f"gres/{entry.name}={entry.count + more}" for entry in gres)]
    listed += [f"gres/{entry.name}:{entry.type}={entry.count}" for entry in gres if entry.type]
    untyped = [(one.name, "", more if one.type else one.count + more) for one in gres]
    typed = [(one.name, one.type, one.count) for one in gres if one.type]
    read = {(one.name, one.type, one.count) for one in parse_gres(",".join(listed))}
    assert read == {entry for entry in [*typed, *untyped] if entry[2]}


@given(st.text(max_size=300))
def test_any_text_is_survived(text: str) -> None:
    """Nothing that Slurm could print breaks the reader, and counts are never below one."""
    assert all(entry.count > 0 for entry in parse_gres(text))
    assert all(entry.count > 0 for entry in parse_sharded(text))


@pytest.mark.parametrize("text", ["(" * 200_000, "gpu:" * 100_000, "a-" * 100_000 + "!", "shard:" * 50_000])
def test_long_nonsense_costs_no_time(text: str) -> None:
    """Megabytes of nonsense are cut and read in linear time."""
    parse_gres(text)
    parse_sharded(text)


def test_sharded_devices_are_counted_in_both_notations() -> None:
    """A device with one of its shards out counts once; one that is out whole does not."""
    assert parse_sharded("gpu:h100:1(IDX:0),shard:h100:8(-/5,5/5,3/5,0/5)") == (Gres("gpu", "h100", 2),)
    assert parse_sharded("gpu:h100:1(IDX:4),shard:h100:2(IDX:5-6)") == (Gres("gpu", "h100", 2),)
    assert parse_sharded("shard:4(0/4,0/4),shard:1g.10gb:0(IDX:N/A)") == ()
    assert parse_sharded("shard:2(2/4,0/4)") == (Gres("gpu", "", 1),)
    assert parse_sharded("mps:a100:100(IDX:0-2,5,9-8)") == (Gres("gpu", "a100", 4),)
    assert parse_sharded("shard:h100:1(IDX:4),mps:h100:3(IDX:0-2),shard:h100:1(IDX:4)") == (
        Gres("gpu", "h100", 3),
    )
