"""Errors that a person reads: one status and one sentence, whatever went wrong; and whose files are read."""

import os
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skiva.runs.offer import NoOffer
from skiva.runs.submit import NotSubmitted
from skiva.runs.wish import BadWish
from skiva.server.held import held
from skiva.server.problems import Problem, told
from skiva_slurm.errors import Refused, SlurmUnanswered

_RUN = "261122-k3f9ta2x"


def _raise(problem: Exception) -> None:
    raise problem


def _raised(problem: Exception) -> tuple[int, str]:
    with pytest.raises(Problem) as answer:
        told(partial(_raise, problem), "run")
    return answer.value.status, str(answer.value)


@pytest.mark.parametrize(
    ("problem", "status", "sentence"),
    [
        (BadWish("hours: too many"), 400, "hours: too many."),
        (KeyError("id"), 409, "What is written about this run cannot be understood."),
        (IndexError("3"), 409, "What is written about this run cannot be understood."),
        (TypeError("x"), 409, "What is written about this run cannot be understood."),
        (LookupError("There is no run x."), 404, "There is no run x."),
        (NotSubmitted("Slurm said no."), 409, "Slurm said no."),
        (NoOffer("No site is known here"), 503, "No site is known here."),
        (SlurmUnanswered("away"), 503, "away."),
        (Refused("no"), 409, "no."),
        (ValueError("odd\n  and  long"), 409, "odd and long."),
        (ValueError("Why?"), 409, "Why?"),
        (ValueError("No!"), 409, "No!"),
        (ValueError(), 409, "ValueError."),
        (ValueError("x" * 5000), 409, "x" * 1000 + "."),
        (
            OSError(28, "No space left on device"),
            503,
            "It could not be written down: No space left on device.",
        ),
        (OSError("odd"), 503, "It could not be written down: odd."),
    ],
)
def test_each_error_has_its_status_and_its_sentence(problem: Exception, status: int, sentence: str) -> None:
    """What a person can change is 400 or 409, what is not there 404, and what may pass 503."""
    assert _raised(problem) == (status, sentence)


def test_a_submission_that_slurm_did_not_answer_may_be_tried_again() -> None:
    """The same error is 503 where Slurm was silent."""
    problem = NotSubmitted("Slurm did not answer.")
    problem.__context__ = SlurmUnanswered("away")
    assert _raised(problem) == (503, "Slurm did not answer.")


def test_what_goes_well_is_answered() -> None:
    """With what it returns."""
    assert told(lambda: 7, "run") == 7


# -- whose directory is read -------------------------------------------------------------------


@given(
    st.text(max_size=60)
    | st.sampled_from(["x" * 60, f"{_RUN}\n", f"/{_RUN}", "..", f"{_RUN}/..", _RUN.upper()])
)
def test_only_an_id_becomes_a_path(name: str) -> None:
    """Nothing of another name is even looked for; the refusal shows no more of it than can be read."""
    with pytest.raises(LookupError) as refused, held(Path("/nowhere"), name, "run"):
        pass
    assert str(refused.value) == f"{name[:40]!r} is no run's id, such as 261122-k3f9ta2x."


def test_a_directory_of_ones_own_is_held_whatever_takes_its_place(tmp_path: Path) -> None:
    """What is read is what was there when it was opened, and it is closed again."""
    (tmp_path / _RUN).mkdir()
    (tmp_path / _RUN / "log").write_text("mine")
    with held(tmp_path, _RUN, "run") as place:
        (tmp_path / _RUN).rename(tmp_path / "moved")
        (tmp_path / _RUN).symlink_to("/etc")
        assert (place / "log").read_text() == "mine"
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(int(place.name))


def test_what_is_no_directory_of_ones_own_is_not_there(tmp_path: Path) -> None:
    """Nothing, a file, a link to a run, and what is somebody else's, of which no more is told."""
    (tmp_path / "261122-aaaaaaaa").mkdir()
    (tmp_path / "261122-bbbbbbbb").write_text("")
    (tmp_path / "261122-cccccccc").symlink_to("261122-aaaaaaaa")
    for name in ("261122-bbbbbbbb", "261122-cccccccc", "261122-dddddddd"):
        with pytest.raises(LookupError, match=rf"^There is no run {name}\.$"), held(tmp_path, name, "run"):
            pass
    with held(tmp_path, "261122-aaaaaaaa", "run") as place:
        assert place.is_dir()


def test_somebody_elses_directory_is_not_even_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of one that they closed to others it would be told that it cannot be read."""
    (tmp_path / _RUN).mkdir()
    other = os.geteuid() + 1
    monkeypatch.setattr(os, "geteuid", lambda: other)
    monkeypatch.setattr(os, "open", lambda *_: pytest.fail("it was opened"))
    with (
        pytest.raises(LookupError, match=rf"^There is no run {_RUN} of yours\.$"),
        held(tmp_path, _RUN, "run"),
    ):
        pass


def test_what_took_its_place_in_the_last_moment_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whose it is counts of what was opened; and that is closed."""
    (tmp_path / _RUN).mkdir()
    me, opened, really = os.geteuid(), list[int](), os.open
    uids = iter([me, me + 1])
    monkeypatch.setattr(os, "geteuid", lambda: next(uids))

    def note(path: Path, flags: int) -> int:
        opened.append(really(path, flags))
        return opened[-1]

    monkeypatch.setattr(os, "open", note)
    with (
        pytest.raises(LookupError, match=rf"^There is no run {_RUN} of yours\.$"),
        held(tmp_path, _RUN, "run"),
    ):
        pass
    [number] = opened
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(number)
