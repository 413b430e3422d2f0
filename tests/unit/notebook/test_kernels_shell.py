"""Terminals find the environment's `skiva`; settings in a home are not the server's."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from skiva.session import operators, shell
from skiva_command import main


@pytest.mark.parametrize("program", ["/bin/bash", "/bin/dash", "/bin/sh"])
def test_the_environments_programs_come_first_in_a_terminal(tmp_path: Path, program: str) -> None:
    """Even where the login shell's files set PATH anew, as the machine's own do."""
    (tmp_path / ".profile").write_text("PATH=/usr/bin:/bin\nexport SITE=modules\n")
    argv = shell.shell_command({"SHELL": program})
    env = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        argv, env=env, input="echo $PATH $SITE\n", capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert done.stdout.split() == [f"{sys.prefix}/bin:/usr/bin:/bin", "modules"]


def test_a_path_that_the_site_sets_follows_the_environments_programs_in_a_terminal(tmp_path: Path) -> None:
    """It comes before what the login shell finds, as in a kernel."""
    (tmp_path / ".profile").write_text("PATH=/usr/bin:/bin\n")
    argv = shell.shell_command({"SHELL": "/bin/sh"}, path="/apps/matlab/bin")
    env = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        argv, env=env, input="echo $PATH\n", capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert done.stdout.split() == [f"{sys.prefix}/bin:/apps/matlab/bin:/usr/bin:/bin"]


def test_a_shell_of_another_kind_is_started_as_it_is() -> None:
    """Its language may differ."""
    assert shell.shell_command({"SHELL": "/usr/bin/fish"}) == ["/usr/bin/fish", "-l"]


def test_own_programs_are_named_once_on_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """However often it is asked for."""
    monkeypatch.setenv("PATH", f"/usr/bin:{sys.prefix}/bin:/bin")
    shell.put_own_programs_first()
    shell.put_own_programs_first()
    assert os.environ["PATH"] == f"{sys.prefix}/bin:/usr/bin:/bin"


def test_settings_in_a_home_are_not_the_servers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine's and the environment's are read, also where the environment lies in a home."""
    from jupyter_core import paths

    home = tmp_path / "home"
    inside = home / ".local/state/skiva/venv/base"
    known = [f"{home}/.jupyter", f"{home}/.local/etc/jupyter", f"{inside}/etc/jupyter", "/etc/jupyter"]
    answer: Callable[[], list[str]] = lambda: list(known)  # noqa: E731
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setattr(sys, "prefix", str(inside))
    monkeypatch.setattr(paths, "jupyter_config_path", answer)
    operators.read_only_operators_settings()
    assert paths.jupyter_config_path() == [f"{inside}/etc/jupyter", "/etc/jupyter"]


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        ([], 2, "kernel"),
        (["--help"], 0, "images"),
        (["fly"], 2, "there is no command 'fly'"),
        (["kernel"], 2, "usage"),
    ],
)
def test_unknown_words_are_answered_with_the_known_ones(
    arguments: list[str], status: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """One command for all sides says what there is."""
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == status
    said = capsys.readouterr()
    assert words in said.out + said.err


def test_a_side_that_is_not_installed_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Notebooks have no hub."""
    monkeypatch.setitem(sys.modules, "skiva_hub.cli", None)
    with pytest.raises(SystemExit) as ended:
        main(["status"])
    assert ended.value.code == 1
    assert "install skiva[hub]" in capsys.readouterr().err
