"""What is typed after `skiva submit` and its like is understood, or refused in a sentence."""

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skiva.runs.command import main
from skiva.runs.command.find import Mistake, find
from skiva.runs.command.send import split
from skiva.runs.programs import argv_of
from skiva.runs.spec import Spec


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with runs and without a site."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.delenv("SKIVA_RUN_DIR", raising=False)
    monkeypatch.delenv("SKIVA_RUNS", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def a_run(home: Path, run: str, name: str = "fit", made: int = 0) -> Path:
    """A run that was refused by Slurm, so that nobody need be asked."""
    place = home / "skiva-runs" / run
    place.mkdir(parents=True)
    spec = Spec(id=run, name=name, kind="function", created=1e9, slice="cpu", hours=1, cwd="/")
    from skiva.runs.files import write_json

    write_json(place / "refused.json", {"sentence": "No such partition.", "at": 1e9})
    write_json(place / "spec.json", spec.to_json())
    os.utime(place / "spec.json", (made, made))
    return place


@pytest.mark.parametrize(
    ("typed", "own", "program"),
    [
        ("train.py --epochs 3", "", "train.py --epochs 3"),
        ("--hours 4 train.py --hours 5", "--hours 4", "train.py --hours 5"),
        ("--hours=4 --wait -- -odd --slice x", "--hours=4 --wait", "-odd --slice x"),
        ("--env A=1 --env B sh -c --", "--env A=1 --env B", "sh -c --"),
        ("-p a=1 x.ipynb -p b=2", "-p a=1", "x.ipynb -p b=2"),
        ("--array - --json sh", "--array - --json", "sh"),
        ("--", "", ""),
        ("--wait", "--wait", ""),
    ],
)
def test_our_options_end_where_the_program_begins(typed: str, own: str, program: str) -> None:
    """Nothing behind the program's name, or behind --, is ours."""
    assert split(typed.split()) == (own.split(), program.split())


@given(st.lists(st.text()))
def test_what_stands_behind_two_dashes_is_exact(words: list[str]) -> None:
    """Spaces, line breaks, quotes and dashes arrive as they were typed."""
    assert split(["--hours", "1", "--", *words]) == (["--hours", "1"], words)
    assert argv_of(words, "x") == [word.replace("{}", "x") for word in words]


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("submit", "PROGRAM: what is to be run?"),
        ("submit nowhere.py", "there is no file 'nowhere.py' here"),
        ("submit --slice cpu true", "start a server on the hub once"),
        ("submit --env NOT_SET_HERE true", "--env: 'NOT_SET_HERE' is not set here"),
        ("submit --tasks 0 true", "--tasks: must be a whole number from 1"),
        ("submit --tasks 2 --array f true", "one of them says"),
        ("submit --array nowhere true", "--array: nowhere cannot be read"),
        ("submit --at-once 2 true", "--at-once: is for arrays"),
        ("submit --follow --tasks 2 true", "--follow: follows one task"),
        ("submit -p a=1 true", "are for notebooks"),
        ("submit -p a x.ipynb", "must be written NAME=VALUE"),
        ("submit x.ipynb y", "behind a notebook there can only be its parameters"),
        ("submit nowhere.ipynb", "nowhere.ipynb"),
        ("submit --hours -1 true", "hours: must be a number of hours above 0"),
        ("logs 999999-00000000", "You have no run whose id begins with"),
        ("logs ../../etc", "is no run's id"),
        ("cancel 1_[0-9999]", "is no run's id"),
        ("cancel -- -1", "You have no run"),
        ("result last", "You have no runs yet"),
        ("jobs --limit 0", "--limit: must be"),
        ("jobs --watch", "--watch: needs a terminal"),
    ],
)
def test_mistakes_are_told_in_a_sentence(
    home: Path, capsys: pytest.CaptureFixture[str], typed: str, words: str
) -> None:
    """What was meant stands first; there is no traceback, and no run."""
    assert main(typed.split()) in {1, 2}
    told = capsys.readouterr()
    assert words in told.err
    assert told.out == ""
    assert not (home / "skiva-runs").exists()


def test_a_run_is_found_by_the_beginning_of_its_id(home: Path) -> None:
    """Of the whole or of its second half; several are named, the newest is the last."""
    a_run(home, "261122-aaaa1111", made=10)
    a_run(home, "261122-ab222222", made=30)
    a_run(home, "261121-b3333333", made=20)
    assert find("261122-aaaa1111").id == find("aa").id == find("261122-aa").id == "261122-aaaa1111"
    assert find("last").id == "261122-ab222222"
    with pytest.raises(Mistake, match="the beginning of 261122-ab222222, 261122-aaaa1111; type more"):
        find("a")
    with pytest.raises(LookupError):
        find("zz")


@pytest.mark.skipif(os.geteuid() != 0, reason="gives a file away")
def test_a_run_of_somebody_else_is_not_read(home: Path) -> None:
    """Reading a result runs its code, so a directory that another account owns is no run of mine."""
    place = a_run(home, "261122-aaaa1111")
    os.chown(place, 65534, 65534)
    with pytest.raises(LookupError):
        find("aaaa")


def test_exit_statuses_and_errors_of_runs(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A run that failed gives its sentence and 1; one that is not over 3; results are never written over."""
    a_run(home, "261122-aaaa1111")
    assert main(["result", "last"]) == 1
    assert "No such partition." in capsys.readouterr().err
    assert main(["logs", "last"]) == 0
    assert main(["logs", "-f", "last"]) == 1
    assert main(["logs", "--task", "1", "last"]) == 2
    assert main(["cancel", "last"]) == 0
    assert "was over already" in capsys.readouterr().out
    assert main(["jobs", "--json"]) == 0
    assert '"state": "refused"' in capsys.readouterr().out


def test_logs_arrive_byte_for_byte(home: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """Colours, control characters and what is no text are as they were printed; no link is followed."""
    place = a_run(home, "261122-aaaa1111")
    content = b"\x1b[31mred\x1b[0m\r\xff\x00end"
    (place / "log").write_bytes(content)
    assert main(["logs", "last"]) == 0
    assert capfdbinary.readouterr().out == content
    (place / "log").unlink()
    (place / "log").symlink_to("/etc/passwd")
    assert main(["logs", "last"]) == 0
    assert capfdbinary.readouterr().out == b""


def test_a_result_is_shown_and_kept(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Pretty for people; with --out as it is, and never over anything."""
    import cloudpickle

    place = a_run(home, "261122-aaaa1111")
    (place / "refused.json").unlink()
    (place / "result.pkl").write_bytes(cloudpickle.dumps({"loss": [0.25, "\x1b[2J"]}))
    (place / "state.jsonl").write_text(
        '{"event": "ended", "at": 2, "how": "completed", "sentence": "Completed."}\n'
    )
    assert main(["result", "last"]) == 0
    assert capsys.readouterr().out == "{'loss': [0.25, '\\x1b[2J']}\n"
    assert main(["result", "--out", "kept.pkl", "last"]) == 0
    assert (home / "kept.pkl").read_bytes() == (place / "result.pkl").read_bytes()
    (place / "result.pkl").write_bytes(b"other")
    assert main(["result", "--out", "kept.pkl", "last"]) == 2
    assert (home / "kept.pkl").read_bytes() != b"other"
    assert main(["result", "last"]) == 1
    assert "cannot be read here" in capsys.readouterr().err


def test_a_python_file_runs_as_it_was(tmp_path: Path) -> None:
    """Under its own path, with the modules beside it and its arguments; its traceback shows what ran."""
    from skiva.runs import script

    place, kept = tmp_path / "src", tmp_path / "program.py"
    place.mkdir()
    (place / "beside.py").write_text("value = 5\n")
    original = place / "train.py"
    original.write_text(
        "import sys, beside\nprint(sys.argv, __file__, __name__, beside.value)\n1 / 0  # then\n"
    )
    shutil.copy(original, kept)
    original.write_text("print('edited')\n")
    argv = [sys.executable, str(script.__file__), str(kept), str(original), "train.py", "--x", "a b"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.stdout == f"['train.py', '--x', 'a b'] {original} __main__ 5\n"
    assert done.returncode == 1
    assert done.stderr.splitlines()[1:3] == [f'  File "{original}", line 3, in <module>', "    1 / 0  # then"]
    assert stat.S_ISREG(kept.stat().st_mode)
