"""How a program is started in an environment: pure functions from what is wanted to a command line.

Sessions, batch runs and Dask workers all begin here. Whichever launcher it is, the program has the
person's account, home and Slurm job, the job's devices and no others, and signals reach it.
"""

from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, StringConstraints, model_validator

__all__ = ["LAUNCHERS", "Launch", "Launcher", "command_line"]

Launcher = Literal["direct", "namespace", "apptainer", "pyxis"]
PlainPath = Annotated[str, StringConstraints(pattern=r"\A/[A-Za-z0-9_.+/-]{1,1023}\z")]
"""An absolute path that means the same in every file, shell and option: letters, digits and _ . + - only."""


class Launch(BaseModel):
    """Where a program's environment is, and what enters it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    launcher: Launcher = "direct"
    python: PlainPath
    """The environment's Python, as it is called inside the image."""
    image: PlainPath | None = None
    """The image, as it is called on the nodes: a directory or a file."""
    binds: tuple[PlainPath, ...] = ()
    """Further files and directories of the node that are seen inside, under the same paths."""

    @model_validator(mode="after")
    def _image_fits(self) -> Self:
        if (self.launcher == "direct") != (self.image is None):
            raise ValueError("image: is what a launcher other than direct needs, and direct cannot use")
        return self


def command_line(launch: Launch, arguments: Sequence[str]) -> list[str]:
    """The argv that runs the environment's Python with `arguments`; nothing in it is for a shell."""
    return LAUNCHERS[launch.launcher](launch, [launch.python, *arguments])


def _direct(launch: Launch, command: list[str]) -> list[str]:
    if "/current.env/" not in launch.python:
        return command
    # What is current may change while the program runs: it goes by the name that its version keeps.
    return ["/bin/sh", "-c", _PIN, "skiva-pin", *command]


def _namespace(launch: Launch, command: list[str]) -> list[str]:
    outer = [
        "unshare",
        "--user",
        "--map-root-user",
        "--mount",
        "--propagation=slave",
        "--",
        "/bin/sh",
        "-c",
        _ENTER,
        "skiva-enter",
    ]
    return [*outer, str(launch.image), ":".join(launch.binds), *command]


def _apptainer(launch: Launch, command: list[str]) -> list[str]:
    binds = [f"--bind={path}" for path in launch.binds]
    return ["apptainer", "--silent", "exec", "--nv", *binds, str(launch.image), *command]


def _pyxis(launch: Launch, command: list[str]) -> list[str]:
    mounts = ",".join(f"{path}:{path}" for path in launch.binds)
    options = [f"--container-image={launch.image}", "--container-mount-home", "--no-container-remap-root"]
    return ["srun", "--ntasks=1", *options, *([f"--container-mounts={mounts}"] if mounts else []), *command]


LAUNCHERS: Mapping[Launcher, Callable[[Launch, list[str]], list[str]]] = {
    "direct": _direct,
    "namespace": _namespace,
    "apptainer": _apptainer,
    "pyxis": _pyxis,
}
"""What each launcher makes of a command."""

_PIN = (
    'prefix=$(readlink -f -- "${1%/bin/*}") || exit 66; name=${1##*/}; shift; exec "$prefix/bin/$name" "$@"'
)
_ENTER = files(__package__).joinpath("enter.sh").read_text()
