"""The doctor on environments: here, on the nodes, and whether others can change them."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from skiva_hub.doctor.environments import environments
from skiva_hub.doctor.finding import Finding, Level
from skiva_hub.doctor.on_node import run_python
from skiva_hub.doctor.paths import changeable
from skiva_hub.doctor.probe import orders, runner
from skiva_hub.doctor.verdict import Seen, sameness
from skiva_hub.site import Site
from skiva_hub.site_file import load

EXAMPLES = Path(__file__).parents[3] / "hub_config" / "examples"
ME = {os.getuid(), 0}
RECORD = {
    "name": "base",
    "form": "sif",
    "digest": f"sha256:{'0123456789ab' * 5}abcd",
    "python": "/opt/skiva/bin/python",
    "python_version": "3.11.2",
}


def site(**environment: Any) -> Site:
    """The embedded example for one person alone, with another environment."""
    data = load(EXAMPLES / "embedded.toml").model_dump()
    data["hub"]["helper"] = ["/opt/skiva-act"]
    data["environment"] = [data["environment"][0] | environment]
    return Site.model_validate(data)


def image_site(image: Path) -> Site:
    """The same with an image."""
    return site(launcher="namespace", image=image, python=Path("/opt/skiva/bin/python"))


def judged(found: Site) -> Finding:
    """The one finding on its one environment, without what is said of the directories above."""
    (finding,) = environments(found)
    return finding


@pytest.fixture(autouse=True)
def _strict_mask() -> Any:
    """Others can change nothing, whatever the umask."""
    old = os.umask(0o022)
    yield
    os.umask(old)


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    """A virtual environment, as far as the doctor looks at it."""
    (tmp_path / "base/bin").mkdir(parents=True)
    (tmp_path / "base/bin/python").symlink_to("/bin/sh")
    (tmp_path / "base/pyvenv.cfg").touch()
    (tmp_path / "base/lib").mkdir()
    return tmp_path / "base"


def test_an_environments_files_must_not_be_others_to_change(prefix: Path) -> None:
    """Not only its Python: a module that somebody can write runs in everybody's session."""
    assert judged(site(python=prefix / "bin/python")).level is Level.OK
    (prefix / "lib/module.py").touch()
    (prefix / "lib/module.py").chmod(0o666)
    weak = judged(site(python=prefix / "bin/python"))
    assert weak.level is Level.ERROR
    assert f"{prefix}/lib/module.py can be changed by others" in weak.sentence


def test_what_is_found_in_a_large_tree_is_what_time_allows(prefix: Path) -> None:
    """On a slow file system the doctor ends all the same."""
    (prefix / "lib/module.py").touch(mode=0o666)
    (prefix / "lib/module.py").chmod(0o666)
    assert list(changeable(prefix, ME)) == [f"{prefix}/lib/module.py can be changed by others"]
    assert list(changeable(prefix, ME, seconds=-1)) == []


def test_a_record_is_told_and_the_lack_of_one_is_no_trouble(prefix: Path) -> None:
    """An environment of the operator's own making need not have one."""
    assert "it has no record" in judged(site(python=prefix / "bin/python")).sentence
    (prefix / "image.json").write_text(json.dumps(RECORD))
    assert "its digest is 0123456789ab." in judged(site(python=prefix / "bin/python")).sentence


def test_an_image_is_a_file_that_all_can_read_or_a_tree_that_none_can_change(tmp_path: Path) -> None:
    """A single file need not be a program; of an unpacked image every file counts."""
    single, tree = tmp_path / "base.sif", tmp_path / "rootfs"
    single.touch(mode=0o644)
    (tmp_path / "base.sif.json").write_text(json.dumps(RECORD))
    good = judged(image_site(single))
    assert (good.level, "0123456789ab" in good.sentence) == (Level.OK, True)
    single.chmod(0o666)
    assert f"{single} can be changed by everybody" in judged(image_site(single)).sentence
    for name in ("dev/null", "usr/bin/sh", "opt/skiva/lib/module.py"):
        (tree / name).parent.mkdir(parents=True)
        (tree / name).touch(mode=0o755)
    (tree / "dev/null").chmod(0o666)
    assert judged(image_site(tree)).level is Level.OK
    for name in ("usr/bin/sh", "opt/skiva/lib/module.py"):
        (tree / name).chmod(0o777)
        assert f"{tree}/{name} can be changed by others" in judged(image_site(tree)).sentence
        (tree / name).chmod(0o755)
    absent = judged(image_site(tmp_path / "none.sif"))
    assert absent.level is Level.WARNING
    assert "Correct image" in absent.cure


def test_a_probe_enters_an_image_by_its_launcher(tmp_path: Path) -> None:
    """The node's own Python runs the probe, and the launcher's whole command line the environment's."""
    told = image_site(tmp_path / "base.sif")
    command = orders(told, told.slice[0], "w")["environments"]["base"]
    assert (command[0], command[-1]) == ("unshare", "/opt/skiva/bin/python")
    assert str(tmp_path / "base.sif") in command
    assert runner(told) == Path("/usr/bin/python3")
    assert runner(load(EXAMPLES / "embedded.toml")) != Path("/usr/bin/python3")


def test_a_launcher_that_is_not_on_the_node_is_named() -> None:
    """The first word of the command line is what must be installed there."""
    told = run_python(["/opt/none/apptainer", "exec", "x.sif", "python"], ["-c", ""], 10.0)
    assert (told["status"], told["error"]) == (127, "/opt/none/apptainer: No such file or directory")


def _seen(node: str, digest: str, status: int = 0) -> Seen:
    said = {"environment": "base", "status": status, "out": digest, "error": ""}
    return Seen(answers={"begun": 1.0, "node": node}, environments={"base": said})


def test_nodes_that_have_different_builds_are_told(prefix: Path) -> None:
    """Of copies on each node, one that was forgotten is found; a broken one has its own finding."""
    told = site(python=prefix / "bin/python")
    assert list(sameness(told, [_seen("n1", "a\n"), _seen("n2", "a\n"), _seen("n3", "", 1)])) == []
    (finding,) = sameness(told, [_seen("n1", "sha256:a"), _seen("n2", "sha256:b"), _seen("n3", "")])
    assert finding.level is Level.WARNING
    assert "n1: sha256:a; n2: sha256:b; n3: no record" in finding.sentence
