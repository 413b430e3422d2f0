"""A table of runs fits its terminal and obeys nobody's names."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from skiva.runs.command.table import HEADINGS, cells, clean, fitted, width_of
from skiva.runs.spec import Spec
from skiva.runs.status import Status


def spec(**values: Any) -> Spec:
    """A run."""
    known = {"id": "261122-aaaa1111", "name": "fit", "kind": "function", "created": 1e9}
    return Spec(**{**known, "slice": "1g.10gb", "hours": 1, "cwd": "/", **values})


_ROWS = st.lists(st.tuples(*[st.text(max_size=40).map(clean)] * len(HEADINGS)), max_size=6)


@given(_ROWS, st.integers(min_value=1, max_value=200))
def test_no_line_is_wider_than_the_terminal(rows: list[tuple[str, ...]], width: int) -> None:
    """Whatever is in it, wide letters too; each run has one line, and nothing is lost where there is room."""
    lines = fitted(rows, width)
    assert len(lines) == len(rows) + 1
    assert all(width_of(line) <= width for line in lines)
    whole = fitted(rows, None)
    for row, line in zip(rows, whole[1:], strict=True):
        assert all(cell.strip() in line for cell in row)


def test_columns_stand_below_their_headings() -> None:
    """At 80 columns the id, the name, the slice, the time, the state and a beginning of the sentence."""
    long = Status(state="failed", sentence="ValueError: shapes (3,4) and (5,6) do not fit " * 3)
    rows = [cells(spec(), long), cells(spec(name="a much longer name than that"), Status(state="completed"))]
    head, first, second = fitted(rows, 80)
    assert head.split() == ["RUN", "NAME", "SLICE", "SUBMITTED", "STATE"]
    for line in (first, second):
        assert line.startswith("261122-aaaa1111  ")
        assert line[head.index("SLICE") :].startswith("1g.10gb")
    assert first[head.index("STATE") :].startswith("failed")
    assert first.endswith("…")


def test_narrow_terminals_keep_the_id() -> None:
    """What gives way first is what matters least."""
    head, line = fitted([cells(spec(), Status(state="running"))], 25)
    assert (head, line) == ("RUN              STATE", "261122-aaaa1111  running")


def test_names_cannot_command_the_terminal() -> None:
    """Control characters, escapes and letters that turn the direction are shown as question marks."""
    hostile = spec(name="\x1b[2J\x07\u202egnp.exe\n\x9b31m", slice="\r\x00")
    row = cells(hostile, Status(state="failed", sentence="\x1b]0;title\x07bad"))
    assert all(cell.isprintable() for cell in row)
    assert row[1] == "?[2J??gnp.exe??31m"


def test_the_state_says_what_matters() -> None:
    """Progress and time left while it runs, the reason and the expected start while it waits."""
    running = Status(
        state="running",
        sentence="Running.",
        seconds_left=3900,
        progress={"done": 7, "total": 12, "text": "loss 0.3"},
    )
    assert cells(spec(), running)[-1] == "7 of 12, loss 0.3, 1 h 05 min left"
    assert cells(spec(), Status(state="running", seconds_left=3600))[-1] == "1 h 00 min left"
    assert cells(spec(), Status(state="running", seconds_left=3599))[-1] == "59 min left"
    waiting = cells(spec(), Status(state="queued", sentence="All slices are in use.", expected=2e9))[-1]
    assert waiting.startswith("All slices are in use. Expected ")
    assert cells(spec(), Status(state="completed", sentence="Completed."))[-1] == ""
    stopped = Status(state="failed", sentence="It broke.", progress=running.progress)
    assert cells(spec(), stopped)[-1] == "It broke."
    assert cells(spec(simulated=True), running)[2] == "1g.10gb (simulated)"
