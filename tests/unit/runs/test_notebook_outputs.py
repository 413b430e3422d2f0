"""What a notebook keeps of its cells' outputs, and how it comes to its file."""

import asyncio
import re
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nbformat import NotebookNode
from nbformat.v4 import new_output
from tests.support.notebook_runs import notebook_of

from skiva.runs.notebook import document as document_module
from skiva.runs.notebook.delivery import checked_output, deliver
from skiva.runs.notebook.document import Document
from skiva.runs.notebook.outputs import Outputs
from skiva.runs.wish import BadWish

_chunks = st.lists(
    st.tuples(st.sampled_from(["stdout", "stderr"]), st.text("ab\n", max_size=40)), max_size=60
)


def _stream(text: str, name: str = "stdout") -> NotebookNode:
    return NotebookNode(new_output("stream", name=name, text=text))


def _text(outputs: Outputs, name: str = "stdout") -> str:
    return "".join(one.text for one in outputs.listed() if one.get("name") == name)


@settings(deadline=None)
@given(_chunks)
def test_small_outputs_are_kept_whole_and_merged(chunks: list[tuple[str, str]]) -> None:
    """Every character is there in its order, and two neighbours are never of the same stream."""
    outputs = Outputs()
    for name, text in chunks:
        outputs.add(_stream(text, name))
    for stream in ("stdout", "stderr"):
        assert _text(outputs, stream) == "".join(text for name, text in chunks if name == stream)
    names = [one.name for one in outputs.listed()]
    assert all(one != other for one, other in pairwise(names))


@settings(deadline=None)
@given(st.lists(st.text("abc\n", min_size=1, max_size=900), min_size=1, max_size=60))
def test_beginning_and_end_are_kept_of_what_is_too_much(chunks: list[str]) -> None:
    """However it was cut into pieces, what is kept is bounded and is the text's own beginning and end."""
    outputs, whole = Outputs(half=2000), "".join(chunks)
    for text in chunks:
        outputs.add(_stream(text))
    parts = outputs.listed()
    if len(parts) == 1:
        assert parts[0].text == whole
    else:
        first, middle, last = parts
        assert whole.startswith(first.text)
        assert whole.endswith(last.text)
        assert len(first.text) + len(last.text) <= 4000
        assert "were left out here" in middle.data["text/plain"]


def test_a_progress_bar_is_kept_as_it_last_was() -> None:
    """Thousands of redrawings of a line are one line, with what was printed around them."""
    outputs = Outputs(half=3000)
    outputs.add(_stream("begin\n"))
    for number in range(2_000):
        outputs.add(_stream(f"\r{number / 100:6.2f} % {'#' * 50}"))
    outputs.add(_stream("\nend\n"))
    assert _text(outputs) == f"begin\n 19.99 % {'#' * 50}\nend\n"


def test_many_small_pictures_are_bounded_too() -> None:
    """A loop that shows something for ever does not fill the memory, nor the notebook."""
    outputs = Outputs(half=30_000)
    for number in range(1500):
        outputs.add(NotebookNode(new_output("display_data", {"text/plain": str(number)})))
    shown = [one.data["text/plain"] for one in outputs.listed()]
    assert 200 < len(shown) < 300
    assert (shown[0], shown[-1]) == ("0", "1499")


def test_how_much_was_left_out_is_said() -> None:
    """In characters that a person can read, as far as it was text."""
    outputs = Outputs(half=3000)
    for number in range(1000):
        outputs.add(_stream(f"{number:09}\n" * 10))
    first, middle, last = outputs.listed()
    kept = len(first.text) + len(last.text)
    told = re.search(r"([0-9.]+) kB of output were left out", middle.data["text/plain"])
    assert told is not None
    assert abs(float(told[1]) * 1000 - (100_000 - kept)) < 10_000
    assert (first.text[:9], last.text[-10:]) == (f"{0:09}", f"{999:09}\n")
    assert middle.metadata["skiva"] == {"note": "left_out"}


def test_one_huge_picture_is_kept_while_it_is_the_last() -> None:
    """What is shown last is what people look at; more of it pushes the others out."""
    outputs = Outputs(half=1000)
    for number in range(3):
        picture = {"image/png": "x" * 100_000, "text/plain": str(number)}
        outputs.add(NotebookNode(new_output("display_data", picture)))
    middle, last = outputs.listed()
    assert "were left out" in middle.data["text/plain"]
    assert last.data["text/plain"] == "2"


def test_a_slower_write_that_had_begun_before_changes_nothing(tmp_path: Path) -> None:
    """The newer one is on the disk already; nothing is left beside it."""
    document = Document(tmp_path / "out.ipynb", notebook_of("1"))
    older = document._encoded()
    document.mark(0, "done")
    document.save_now()
    document._write(*older)
    assert nbformat.read(document.path, 4).cells[0].metadata["skiva"] == {"state": "done"}
    assert document.writes == 1
    assert [path.name for path in tmp_path.iterdir()] == ["out.ipynb"]


def test_an_earlier_jobs_outputs_stay_when_a_cell_clears_its_own() -> None:
    """Clearing takes away what this job put out, and only that."""
    outputs = Outputs([_stream("before")])
    outputs.add(_stream("now"))
    outputs.clear()
    outputs.add(_stream("then"))
    assert [one.text for one in outputs.listed()] == ["before", "then"]


@pytest.mark.parametrize(
    ("seconds", "pause"), [(0.0, 1.0), (0.1, 0.9), (0.25, 1.0), (0.5, 2.0), (60.0, 240.0)]
)
async def test_a_large_notebook_is_written_seldom(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: float, pause: float
) -> None:
    """Once in a second; a write that takes long is followed by a pause that is four times as long."""
    document, now = Document(tmp_path / "out.ipynb", notebook_of("1")), [100.0]
    pauses = list[float]()

    async def slow() -> None:
        now[0] += seconds
        document.touch()
        if len(pauses) == 1:
            raise OSError(28, "No space left on device")

    async def sleep(how_long: float) -> None:
        pauses.append(how_long)
        if len(pauses) == 3:
            raise asyncio.CancelledError

    monkeypatch.setattr(document, "save", slow)
    monkeypatch.setattr(document_module, "time", SimpleNamespace(monotonic=lambda: now[0]))
    monkeypatch.setattr(document_module, "asyncio", SimpleNamespace(sleep=sleep))
    document.touch()
    with pytest.raises(asyncio.CancelledError):
        await document.keep_saving()
    assert pauses == [pytest.approx(pause)] * 3


def test_half_a_letter_does_not_keep_a_notebook_from_being_written(tmp_path: Path) -> None:
    """Text that UTF-8 cannot hold is written as JSON can, while it runs and at the end."""
    document = Document(tmp_path / "out.ipynb", notebook_of("1", "2"))
    document.outputs[0] = Outputs()
    document.outputs[0].add(_stream("\ud83d and \u2028"))
    document.touch(0)
    for write in (document.save_now, document.finish):
        write()
        assert nbformat.read(tmp_path / "out.ipynb", 4).cells[0].outputs[0].text == "\ud83d and \u2028"
    assert [path.name for path in tmp_path.iterdir()] == ["out.ipynb"]


def test_a_result_never_takes_anothers_place(tmp_path: Path) -> None:
    """A copy is put where nothing is; a file or a link that is there, even a broken one, stays."""
    result, wanted = tmp_path / "out.ipynb", tmp_path / "a 'new'\n one.ipynb"
    result.write_text("result")
    assert checked_output(wanted) == str(wanted)
    assert deliver(result, str(wanted)) == f"the result is {wanted}"
    assert wanted.read_text() == "result"
    with pytest.raises(BadWish, match=r"^output: (.|\n)* is there already"):
        checked_output(wanted)
    link = tmp_path / "link.ipynb"
    link.symlink_to(tmp_path / "elsewhere")
    assert "stays as it is" in deliver(result, str(link))
    assert not (tmp_path / "elsewhere").exists()
    with pytest.raises(BadWish, match="output: there is no directory"):
        checked_output(tmp_path / "none" / "x.ipynb")
