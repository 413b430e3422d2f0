"""What each launcher makes of a command."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from skiva_images.launch import LAUNCHERS, Launch, command_line

_PATHS = st.sampled_from(["/p", "/opt/env-1.2/bin/python3", "/scratch/a_b+c/image.sif"])


def test_direct_is_the_command_itself() -> None:
    """Nothing stands between Slurm and an environment that is a directory."""
    assert command_line(Launch(python="/e/bin/python"), ["-I", "-m", "x"]) == [
        "/e/bin/python",
        "-I",
        "-m",
        "x",
    ]


def test_namespace_gives_the_script_its_arguments() -> None:
    """One program that execs: image, binds, then the command as it is."""
    launch = Launch(launcher="namespace", python="/p", image="/i.sif", binds=("/a", "/b"))
    argv = command_line(launch, ["$HOME", "a b"])
    assert argv[0] == "unshare"
    assert "--propagation=slave" in argv, "mounts of the node appear inside, ours never outside"
    assert argv[argv.index("skiva-enter") :] == ["skiva-enter", "/i.sif", "/a:/b", "/p", "$HOME", "a b"]


def test_apptainer_and_pyxis_name_image_and_binds() -> None:
    """The sites' own programs, asked in their words."""
    binds = ("/scratch",)
    launch = Launch(launcher="apptainer", python="/p", image="/i.sif", binds=binds)
    assert command_line(launch, ["-V"])[-4:] == ["--bind=/scratch", "/i.sif", "/p", "-V"]
    launch = Launch(launcher="pyxis", python="/p", image="/i.sqsh", binds=binds)
    argv = command_line(launch, ["-V"])
    assert argv[0] == "srun"
    assert "--container-image=/i.sqsh" in argv
    assert "--container-mounts=/scratch:/scratch" in argv


@given(st.sampled_from(sorted(LAUNCHERS)), _PATHS, _PATHS, st.lists(st.text(min_size=1), max_size=4))
def test_arguments_come_last_and_unchanged(
    launcher: str, python: str, image: str, arguments: list[str]
) -> None:
    """Whatever the launcher, the program sees exactly its arguments."""
    chosen = Launch.model_validate(
        {"launcher": launcher, "python": python, "image": None if launcher == "direct" else image}
    )
    argv = command_line(chosen, arguments)
    assert argv[len(argv) - len(arguments) - 1 :] == [python, *arguments]


@pytest.mark.parametrize("path", ["relative", "/a b", "/a:b", "/a,b", "/a\nb", "/$x", "/a;b", ""])
def test_odd_paths_are_refused(path: str) -> None:
    """A path that some launcher would read differently is a mistake in the site file."""
    with pytest.raises(ValidationError):
        Launch(launcher="namespace", python="/p", image=path)


def test_an_image_needs_a_launcher_and_the_reverse() -> None:
    """`direct` with an image, or a launcher without one, is a mistake."""
    for values in ({"image": "/i"}, {"launcher": "namespace"}):
        with pytest.raises(ValidationError, match="image"):
            Launch.model_validate({"python": "/p", **values})
