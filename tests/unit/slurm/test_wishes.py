"""What a job names of Slurm: nothing becomes another option or line, and it is read as Slurm reads it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from skiva_slurm.jobs import Node
from skiva_slurm.wishes import (
    Constraint,
    ExtraGres,
    HostList,
    Licenses,
    Partitions,
    Place,
    has_features,
    licences,
)

KINDS: dict[str, TypeAdapter[str]] = {
    "partition": TypeAdapter(Partitions),
    "constraint": TypeAdapter(Constraint),
    "licenses": TypeAdapter(Licenses),
    "exclude": TypeAdapter(HostList),
    "extra_gres": TypeAdapter(ExtraGres),
}
GOOD = {
    "partition": ["gpu", "gpu,gpu2"],
    "constraint": ["ib", "h100&ib&x", "a100|h100"],
    "licenses": ["matlab", "matlab:1,ansys@server:2", "a@b"],
    "exclude": ["n1", "gpu[01-03,7],n7"],
    "extra_gres": ["tmpdisk:100", "lscratch:100G", "nvme:fast:1"],
}
BAD = {
    "partition": ["", "a,", ",a", "a, b", "-a"],
    "constraint": ["a&b|c", "a&", "|a", "[a|b]", "a*2", "(a)", "!a"],
    "licenses": ["a:0", "a:", "a|b", "a:1@server", "a;b", "*"],
    "exclude": ["/etc/passwd", "./n1", "n[1-", "n[3-1]", "n[1-99999]", "n 1", "n]1["],
    "extra_gres": ["tmpdisk", "tmpdisk:0", "a:1,b:1", "a:b:c:1", "a:1X"],
}
CASES = [(kind, text) for kind, texts in GOOD.items() for text in texts]
WRONG = [(kind, text) for kind, texts in BAD.items() for text in texts]


@pytest.mark.parametrize(("kind", "text"), CASES)
def test_what_slurm_takes_is_taken_as_it_is(kind: str, text: str) -> None:
    """Slurm's own way to write several of a kind."""
    assert KINDS[kind].validate_python(text) == text


@pytest.mark.parametrize(("kind", "text"), WRONG)
def test_what_slurm_would_refuse_or_read_otherwise_is_refused(kind: str, text: str) -> None:
    """A file's name, a mixture of `&` and `|`, counts of none, cut-off lists."""
    with pytest.raises(ValidationError):
        KINDS[kind].validate_python(text)


@given(
    st.sampled_from(sorted(KINDS)),
    st.text("-=a1,&|:@[]./~ \n\r\t\0\"'$`;\\\u2028é", max_size=12)
    | st.builds(
        "{}{}{}".format,
        st.sampled_from([text for _, text in CASES]),
        st.characters(),
        st.just("") | st.text(),
    ),
)
def test_nothing_that_is_taken_becomes_an_option_a_line_or_a_file(kind: str, text: str) -> None:
    """Whatever a field takes is one word of plain letters that begins with one, and has no slash."""
    try:
        taken = KINDS[kind].validate_python(text)
    except ValidationError:
        return
    assert taken == text
    assert taken.isascii()
    assert taken.isprintable()
    assert taken[0].isalnum()
    assert not set(taken) & set(" /\\\"'$`;")


def node(name: str, *features: str, partitions: tuple[str, ...] = ("gpu",)) -> Node:
    return Node(name, name, frozenset({"IDLE"}), partitions=partitions, features=frozenset(features))


@pytest.mark.parametrize(
    ("constraint", "has"),
    [
        (None, True),
        ("ib", True),
        ("ib&h100", True),
        ("ib&x", False),
        ("x|ib", True),
        ("x|y", False),
        ("x", False),
    ],
)
def test_a_node_has_all_features_or_any_as_it_is_written(constraint: str | None, has: bool) -> None:
    """`&` asks for all of them, `|` for one."""
    assert has_features(node("n1", "ib", "h100"), constraint) is has


def test_a_job_can_be_on_the_nodes_of_its_partitions_that_it_neither_excludes_nor_lacks_features_of() -> None:
    """Every partition's nodes, less those that are excluded, less those without the feature."""
    nodes = [
        node("n1", "ib"),
        node("n2", "ib", partitions=("gpu2",)),
        node("n3", "ib"),
        node("n4"),
        node("n5", "ib", partitions=("cpu",)),
    ]
    assert [n.name for n in Place("gpu,gpu2", "ib", "n[3-4]").among(nodes)] == ["n1", "n2"]
    assert [n.name for n in Place("gpu").among(nodes)] == ["n1", "n3", "n4"]


def test_licences_are_counted_by_name_and_server() -> None:
    """One where no count is written; the same name twice is added up."""
    assert licences("a,b@s:2,a:3") == {"a": 4, "b@s": 2}
    assert licences("") == {}
