"""A kernel that cannot start says why, and who else wrote a kernel is not listened to."""

import json
import os
import struct
from pathlib import Path
from typing import Any

import pytest

from skiva.kernels import Problem, problem, store
from skiva.kernels.watch import look


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    """An environment with ipykernel in it."""
    prefix = tmp_path / "env"
    (prefix / "bin").mkdir(parents=True)
    (prefix / "bin/python").symlink_to("/usr/bin/python3")
    (prefix / "pyvenv.cfg").write_text("uv = 0.13.9\n")
    ipykernel = prefix / "lib/python3.11/site-packages/ipykernel"
    ipykernel.mkdir(parents=True)
    (ipykernel / "__init__.py").touch()
    return prefix


def spec(prefix: Path, **changes: str) -> dict[str, Any]:
    """A kernel of it."""
    python = str(prefix / "bin/python")
    own = {
        "kind": "uv",
        "prefix": str(prefix),
        "python": python,
        "python_version": "3.11.2",
        "ipykernel": f"{prefix}/lib/python3.11/site-packages/ipykernel/__init__.py",
        **changes,
    }
    return {"argv": [python, "-m", "ipykernel_launcher"], "display_name": "Env", "metadata": {"skiva": own}}


def told(name: str, kernel: dict[str, Any]) -> Problem:
    """What is wrong, which something must be."""
    found = problem(name, kernel)
    assert found is not None
    return found


def elf(machine: int, loader: str = "") -> bytes:
    """The head of a program for this kind of processor."""
    head = bytearray(b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HH", 2, machine) + bytes(44))
    struct.pack_into("<Q", head, 32, 64)
    struct.pack_into("<HH", head, 54, 56, 1)
    return bytes(head) + struct.pack("<IIQ", 3, 4, 120) + bytes(40) + loader.encode() + b"\0"


def test_a_sound_kernel_has_no_problem(prefix: Path) -> None:
    """Nor one that a person made without us, with the server's Python or a program on PATH."""
    assert problem("env", spec(prefix)) is None
    assert problem("x", {"argv": ["python", "-m", "ipykernel_launcher"]}) is None
    assert problem("x", {"argv": ["sh", "-c", "true"], "metadata": {"skiva": "nonsense"}}) is None


def test_a_missing_python_is_told_with_the_end_of_its_links(prefix: Path) -> None:
    """A node or an image may lack the Python that an environment was made with; uv's own is everywhere."""
    (prefix / "bin/python").unlink()
    (prefix / "bin/python").symlink_to("python3")
    (prefix / "bin/python3").symlink_to("/opt/py/bin/python3.12")
    found = told("env", spec(prefix))
    assert "leads to /opt/py/bin/python3.12, which is not there on this node" in found.sentence
    assert found.cure == f"uv venv --allow-existing --managed-python --python 3.11 {prefix}"
    (prefix / "bin/python").unlink()
    assert told("env", spec(prefix)).sentence == f"{prefix}/bin/python is gone."


def test_an_environment_that_is_gone_is_told(tmp_path: Path) -> None:
    """And how its kernel leaves the list."""
    found = told("old", spec(tmp_path / "gone"))
    assert found.sentence.startswith(f"Its environment {tmp_path}/gone is gone.")
    assert found.cure == "skiva kernel remove old"


def test_a_lost_ipykernel_is_told_with_the_command_that_installs_it(prefix: Path) -> None:
    """It may have moved, to another version's directory, and then all is well."""
    (prefix / "lib/python3.11").rename(prefix / "lib/python3.12")
    assert problem("env", spec(prefix)) is None
    (prefix / "lib/python3.12/site-packages/ipykernel/__init__.py").unlink()
    found = told("env", spec(prefix))
    assert found.cure == f"uv pip install --python {prefix}/bin/python ipykernel"


def test_a_program_for_other_machines_is_told(prefix: Path) -> None:
    """By its own head, without running it; the same for one whose loader is not there."""
    python = prefix / "bin/python"
    other = 183 if os.uname().machine == "x86_64" else 62
    for content, words in (
        (elf(other), "is a program for"),
        (elf(62 if other == 183 else 183, "/lib/ld-musl-none.so.1"), "needs /lib/ld-musl-none.so.1"),
    ):
        python.unlink()
        python.write_bytes(content)
        python.chmod(0o755)
        assert words in told("env", spec(prefix)).sentence


def test_a_closed_program_is_told(prefix: Path) -> None:
    """With the command that opens it, where it is the person's own."""
    python = prefix / "bin/python"
    python.unlink()
    python.write_text("#!/bin/sh\n")
    python.chmod(0o644)
    found = told("env", spec(prefix))
    assert found.sentence.startswith(f"You may not run {python}")
    assert found.cure == f"chmod u+rx {python}"


@pytest.mark.parametrize(
    "kernel", [{}, {"argv": []}, {"argv": "python"}, {"argv": [1]}, {"argv": ["no-such-program"]}]
)
def test_nonsense_is_told_as_well(kernel: dict[str, Any]) -> None:
    """Whatever a kernel.json holds, the answer is a sentence."""
    assert told("odd", kernel).cure == "skiva kernel remove odd"


def test_the_dialogs_lines_are_short_and_its_command_can_be_copied(prefix: Path) -> None:
    """JupyterLab breaks no lines there; a shell reads the folded command as one."""
    text = Problem("word " * 60, "uv pip install " + "package " * 30).folded("My env (Python 3.11, uv)")
    assert max(map(len, text.splitlines())) <= 102
    command = text.partition("To mend it:\n")[2].replace("\\\n", " ")
    assert command.split() == ["uv", "pip", "install", *["package"] * 30]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_what_others_put_there_is_not_a_kernel_of_mine(tmp_path: Path, prefix: Path) -> None:
    """Neither a directory nor a file of another account, nor any in a place where others may write."""
    kernels = tmp_path / "kernels"
    store.write(kernels, "mine", spec(prefix))
    store.write(kernels, "planted", spec(prefix))
    os.chown(kernels / "planted", 65534, 65534)
    store.write(kernels, "changed", spec(prefix))
    os.chown(kernels / "changed/kernel.json", 65534, 65534)
    store.write(kernels, "open", spec(prefix))
    (kernels / "open").chmod(0o777)
    (kernels / "linked").symlink_to(kernels / "planted")
    ignored = {entry.name: entry.ignored for entry in store.entries(kernels)}
    assert ignored.pop("mine") == ""
    assert set(ignored) == {"planted", "changed", "open", "linked"}
    assert all(ignored.values())
    kernels.chmod(0o777)
    ignored = {entry.name: entry.ignored for entry in store.entries(kernels)}
    assert {"mine", "planted", "changed", "open", "linked"} == ignored.keys()
    assert all(ignored.values())


def test_a_kernel_is_written_whole_or_not_at_all(tmp_path: Path, prefix: Path) -> None:
    """Nothing half written is seen, and the directory, which is what is watched, changes every time."""
    kernels = tmp_path / "kernels"
    assert look(kernels) == ()
    store.write(kernels, "env", spec(prefix))
    first, seen = kernels.stat().st_mtime_ns, look(kernels)
    (kernels / "env/logo-svg.svg").write_text("<svg/>")
    store.write(kernels, "env", {**spec(prefix), "display_name": "Other"})
    assert kernels.stat().st_mtime_ns != first
    assert look(kernels) != seen
    assert sorted(path.name for path in (kernels / "env").iterdir()) == ["kernel.json", "logo-svg.svg"]
    assert list(kernels.iterdir()) == [kernels / "env"]
    assert json.loads((kernels / "env/kernel.json").read_text())["display_name"] == "Other"
