"""How large a number, a text or a request may be that reaches the server, to the last one that is taken."""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.clusters_on_disk import cluster_id, lay_cluster
from tests.support.runs_lab import Lab
from tests.support.runs_on_disk import lay, run_id, write

from skiva.runs.wish import BadWish
from skiva.server.answering import AnsweringHandler
from skiva.server.problems import Problem, body_of
from skiva.server.runs.actions import place_of

RUN = run_id(1)


@dataclass
class _Asked:
    """A request with one value in its address."""

    text: str

    def get_query_argument(self, name: str, default: str) -> str:  # noqa: ARG002
        """The value, as tornado has it."""
        return self.text

    def whole(self: Any, least: int, most: int) -> int | None:
        """What the server takes it for."""
        taken: int | None = AnsweringHandler.whole(self, "limit", 200, least, most)
        return taken

    @classmethod
    def of(cls, value: object) -> Self:
        """A request with this value."""
        return cls(str(value))


@given(st.integers(-(10**20), 10**20), st.integers(0, 10**17), st.integers(0, 10**17))
def test_a_number_is_taken_from_the_least_to_the_most_and_no_further(number: int, one: int, two: int) -> None:
    """Whatever the bounds are, both belong to it; the refusal names the field and both of them."""
    least, most = sorted((one, two))
    for value in (number, least - 1, least, most, most + 1):
        if least <= value <= most:
            assert _Asked.of(value).whole(least, most) == value
            continue
        with pytest.raises(Problem) as refused:
            _Asked.of(value).whole(least, most)
        assert refused.value.status == 400
        assert str(refused.value) == f"limit: must be a whole number from {least} to {most}."


@pytest.mark.parametrize(
    "text", ["x", "1e3", "1.0", "+1", "-1", "0x1", "1_0", "٣", "²", "1 2", "9" * 19, "9" * 5000]
)
def test_what_is_no_plain_number_is_refused(text: str) -> None:
    """Neither other scripts' digits, nor what Python would read, nor one that takes long to read."""
    with pytest.raises(Problem, match=r"^limit: must be a whole number from 0 to 1000000\.$"):
        _Asked(text).whole(0, 10**6)


def test_a_number_that_is_not_there_is_the_default() -> None:
    """An empty one too."""
    assert _Asked("").whole(0, 1) == 200


@pytest.mark.parametrize(
    ("address", "name", "least", "most"),
    [
        ("runs", "limit", 1, 1000),
        ("runs", "since", 0, 10**17),
        (f"runs/{RUN}", "task", 0, 10**6),
        (f"runs/{RUN}/log", "task", 0, 10**6),
        (f"runs/{RUN}/log", "offset", 0, 10**17),
        (f"clusters/{cluster_id(1)}/log", "offset", 0, 10**17),
    ],
)
async def test_each_number_of_an_address_has_its_bounds(
    lab: Lab, address: str, name: str, least: int, most: int
) -> None:
    """The largest page, the last task and the farthest offset are answered; one beyond is a sentence."""
    lay(lab.runs, RUN)
    lay_cluster(lab.runs.parent / ".local/state/skiva/clusters", told={})
    sentence = f"{name}: must be a whole number from {least} to {most}."
    for number, code in ((least - 1, 400), (least, 200), (most, 200), (most + 1, 400)):
        status, answer = await lab.ask(f"{address}?{name}={number}")
        assert status == code, (number, answer)
        assert (answer == {"message": sentence}) == (code == 400)


async def test_a_page_has_as_many_runs_as_were_asked_for(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither one more nor one less, or one page by default, and it says whether there are more."""
    monkeypatch.setattr("skiva.server.runs.handlers._PAGE", 3)
    for number in range(5):
        lay(lab.runs, run_id(number))
    for query, most in (("", 3), ("?limit=1", 1), ("?limit=4", 4)):
        answer = (await lab.ask(f"runs{query}"))[1]
        assert (len(answer["runs"]), answer["more"]) == (most, True)
    answer = (await lab.ask("runs?limit=5"))[1]
    assert (len(answer["runs"]), answer["more"]) == (5, False)


async def test_an_offset_beyond_the_end_of_a_log_is_its_end(lab: Lab) -> None:
    """A page that outlived a log which began anew gets no error, and reads on from what there is."""
    (lay(lab.runs, RUN) / "log").write_text("short\n")
    for offset, text in ((0, "short\n"), (5, "\n"), (6, "")):
        told = (await lab.ask(f"runs/{RUN}/log?offset={offset}"))[1]
        assert told == {"text": text, "next": 6, "size": 6}


# -- bodies --------------------------------------------------------------------------------------

_FIELDS = frozenset({"workers", "name"})


@given(st.dictionaries(st.sampled_from(sorted(_FIELDS)), st.none() | st.integers() | st.text()))
def test_a_body_with_known_fields_is_taken_as_it_is(values: dict[str, Any]) -> None:
    """None at all is the same as an empty object."""
    assert body_of(json.dumps(values).encode(), _FIELDS) == values
    assert body_of(b"", _FIELDS) == {}


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        (b"{", "The request is no JSON that can be read."),
        (b"\xff", "The request is no JSON that can be read."),
        (b"[" * 100_000, "The request is no JSON that can be read."),
        (b"[]", "The request must be a JSON object."),
        (b"null", "The request must be a JSON object."),
        (b'"workers"', "The request must be a JSON object."),
        (b'{"workers": 1, "b": 1, "a": 1}', "a: there is no such field."),
        (b'{"%s": 1}' % (b"x" * 5000), f"{'x' * 60}: there is no such field."),
    ],
)
def test_any_other_body_is_refused_in_one_sentence(raw: bytes, sentence: str) -> None:
    """It names the first field that there is none of, and no more of that than can be read."""
    with pytest.raises(Problem) as refused:
        body_of(raw, _FIELDS)
    assert (refused.value.status, str(refused.value)) == (400, sentence)


# -- paths, and what a run's files may hold ------------------------------------------------------

_SERVED = Path("/home/ann")


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("fit.ipynb", "/home/ann/fit.ipynb"),
        ("/course/fit.ipynb", "/home/ann/course/fit.ipynb"),
        ("//course//./fit.ipynb", "/home/ann/course/fit.ipynb"),
        ("/home/ann/course/fit.ipynb", "/home/ann/course/fit.ipynb"),
        ("/home/anna/fit.ipynb", "/home/ann/home/anna/fit.ipynb"),
        ("..fit.ipynb", "/home/ann/..fit.ipynb"),
        ("x" * 4000, f"/home/ann/{'x' * 4000}"),
    ],
)
def test_a_notebook_is_where_the_file_browser_shows_it(path: str, place: str) -> None:
    """Its path is the browser's, or the one on the disk; it never leaves what the browser shows."""
    assert place_of(_SERVED, path) == Path(place)


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        *[
            (path, "path: must be the path of a notebook")
            for path in ("", "/", "//", 5, None, "a\0b", "x" * 4001)
        ],
        *[
            (path, "path: must be below the directory")
            for path in ("..", "a/../b", "../../etc/passwd", "/home/ann/../bob/fit.ipynb")
        ],
    ],
)
def test_what_is_no_path_of_a_notebook_is_refused(path: object, sentence: str) -> None:
    """In a sentence that begins with the field."""
    with pytest.raises(BadWish, match=f"^{sentence}"):
        place_of(_SERVED, path)
    with pytest.raises(BadWish, match=r"^path: (must be the path|this server's files are not on a disk)"):
        place_of(None, path)


async def test_what_a_run_left_is_told_within_bounds(lab: Lab) -> None:
    """Two hundred names, without hidden ones, links and its own files; an error as far as it helps."""
    place = lay(lab.runs, RUN)
    for number in range(201):
        (place / f"out-{number:03}").touch()
    for name in (".hidden", "tasks", "summary.json", "seen.json"):
        (place / name).touch()
    (place / "out-link").symlink_to("/etc/passwd")
    error = {"type": "E", "message": 5, "traceback": "begin" + "x" * 100_000, "secret": "no"}
    write(place / "error.json", error)
    told = (await lab.ask(f"runs/{RUN}"))[1]
    assert told["outputs"] == [f"out-{number:03}" for number in range(200)]
    assert told["error"] == {"type": "E", "message": "5", "traceback": "x" * 100_000}
    assert (told["log_size"], told["tail"]) == (0, "")


async def test_a_description_of_a_run_is_told_as_browsers_read_it(lab: Lab) -> None:
    """Infinity is nothing; one of megabytes is left out, and the run is told all the same."""
    lay(lab.runs, RUN, parameters={"rate": math.inf, "name": "x"})
    told = (await lab.ask(f"runs/{RUN}"))[1]
    assert told["spec"]["parameters"] == {"rate": None, "name": "x"}
    lay(lab.runs, run_id(2), parameters={"name": "x" * 2_000_000})
    told = (await lab.ask(f"runs/{run_id(2)}"))[1]
    assert (told["spec"], told["id"]) == ({}, run_id(2))
    lay(lab.runs, run_id(3), parameters={"name": "x" * 1_900_000})
    assert len((await lab.ask(f"runs/{run_id(3)}"))[1]["spec"]["parameters"]["name"]) == 1_900_000
