"""`skiva migrate` runs a configuration only when asked to, and needs none of the modules it imports."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from skiva_hub.migrate import main
from skiva_hub.migrate.loading import load

COMMAND = [sys.executable, "-m", "skiva_hub.cli", "migrate"]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration that leaves a trace when it runs."""
    path = tmp_path / "jupyterhub_config.py"
    path.write_text("from pathlib import Path\nPath(__file__).with_name('ran').touch()\nprint('a line')\n")
    return path


def ran(config: Path) -> bool:
    """Whether the configuration was run."""
    return config.with_name("ran").exists()


def test_without_a_terminal_nothing_runs_unless_asked_for(config: Path) -> None:
    """A script that migrates says so by an option; without it, one sentence names the option."""
    done = subprocess.run([*COMMAND, config], stdin=subprocess.DEVNULL, capture_output=True, text=True)  # noqa: PLW1510 - it is to fail
    assert (done.returncode, done.stdout, ran(config)) == (2, "", False)
    assert "to read it is to run it" in done.stderr
    assert "add --run" in done.stderr


def test_what_a_configuration_prints_is_no_part_of_the_site_file(config: Path) -> None:
    """The site file alone is on the standard output, whatever the configuration prints."""
    done = subprocess.run([*COMMAND, config, "--run"], capture_output=True, text=True, check=True)
    assert ran(config)
    assert done.stdout.startswith("# Made by `skiva migrate`")
    assert "a line" in done.stderr


@pytest.mark.parametrize(("answer", "status"), [("y\n", 0), ("\n", 2), ("n\n", 2)])
def test_on_a_terminal_it_asks(config: Path, answer: str, status: int) -> None:
    """Only a yes runs the file; a bare return is a no."""
    ours, its = pty.openpty()
    with subprocess.Popen(
        [*COMMAND, config], stdin=its, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as running:
        os.close(its)
        os.write(ours, answer.encode())
        _, said = running.communicate()
    os.close(ours)
    assert "Run it? [y/N]" in said
    assert (running.returncode, ran(config)) == (status, status == 0)


def test_modules_that_are_not_installed_are_stubbed_and_named(tmp_path: Path) -> None:
    """Classes, functions and values of theirs stand in the configuration without being there."""
    path = tmp_path / "jupyterhub_config.py"
    path.write_text(
        "import no_such_hub, no_such_hub.deep.er as deeper\n"
        "from no_such_auth import OurOAuth, setting\n"
        "from batchspawner import SlurmSpawner\n"
        "c = get_config()\n"
        "class Mixed(no_such_hub.Mixin, SlurmSpawner):\n"
        "    req_partition = 'gpu'\n"
        "no_such_hub.set_up(c, *[each for each in setting], key=setting['a'].b(1)['c'])\n"
        "c.JupyterHub.authenticator_class = OurOAuth\n"
        "c.JupyterHub.spawner_class = Mixed\n"
        "c.JupyterHub.hub_connect_url = f'http://{deeper.HOST}:8081'\n"
        "import os.path, no_such_hub as hub\n"
        "c.JupyterHub.template_paths = [os.path.join(os.path.dirname(hub.__file__), deeper.NAME)]\n"
        "load_subconfig('elsewhere/more.py')\n"
        "c.Authenticator.whoever = deeper.Thing(1).of(2)\n"
    )
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "more.py").write_text(
        "from no_such_theme import path\nc.JupyterHub.logo_file = path\n"
    )
    loaded = load(path)
    assert loaded.missing == ("no_such_hub", "no_such_auth", "no_such_theme")
    assert loaded.config["JupyterHub"]["spawner_class"].req_partition == "gpu"
    assert loaded.config["JupyterHub"]["hub_connect_url"] == "http://<no_such_hub.deep.er.HOST>:8081"
    assert "no_such_hub" not in sys.modules


def test_a_library_still_finds_out_what_is_not_installed(tmp_path: Path) -> None:
    """Stubs are for the configuration and the modules beside it, not for libraries that try and see."""
    library = tmp_path / "site-packages"
    library.mkdir()
    (library / "tries_and_sees.py").write_text(
        "try:\n    import no_such_speedup\n    FAST = True\nexcept ImportError:\n    FAST = False\n"
    )
    (tmp_path / "beside_it.py").write_text("import no_such_auth\n")
    path = tmp_path / "jupyterhub_config.py"
    path.write_text(
        f"import sys\nsys.path[:0] = [{str(library)!r}, {str(tmp_path)!r}]\n"
        "import beside_it, tries_and_sees\ndel sys.path[:2]\nc.JupyterHub.fast = tries_and_sees.FAST\n"
    )
    loaded = load(path)
    assert loaded.missing == ("no_such_auth",)
    assert loaded.config["JupyterHub"]["fast"] is False


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = 1\nraise ValueError('no')", ", line 2: ValueError: no"),
        ("import os\nos.environ['NO_SUCH_SETTING']", ", line 2: KeyError: 'NO_SUCH_SETTING'"),
        ("if", ", line 1: SyntaxError: invalid syntax"),
        ("import sys\nsys.exit('enough')", ", line 2: SystemExit: enough"),
    ],
)
def test_a_configuration_that_does_not_run_is_told_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, said: str
) -> None:
    """The command ends with a sentence, the line and a status, never a traceback."""
    path = tmp_path / "jupyterhub_config.py"
    path.write_text(text)
    assert main([str(path), "--run"]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith(f"{path} cannot be read{said}")
    assert told.err.count("\n") == 1
