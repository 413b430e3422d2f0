"""The command `skiva`: each word of it belongs to a side, which need not be installed."""

import sys
from collections.abc import Callable, Sequence
from importlib import import_module

__all__ = ["main"]

_HUB = "skiva_hub.cli"
_RUNS = "skiva.runs.command"
_SIDES = {
    "submit": (_RUNS, "run a program, a Python file or a notebook in a job of its own"),
    "jobs": (_RUNS, "list your runs"),
    "logs": (_RUNS, "show what a run prints"),
    "cancel": (_RUNS, "end runs"),
    "result": (_RUNS, "show what a run returned"),
    "kernel": ("skiva.kernels.command", "your own environments as kernels"),
    "images": ("skiva_images.command", "build, list, check and compare environments"),
    "up": (_HUB, "start an embedded Slurm and the hub"),
    "down": (_HUB, "end what runs"),
    "status": (_HUB, "show what runs"),
    "env": (_HUB, "print the lines that let a shell talk to that Slurm"),
    "doctor": (_HUB, "compare the site file with what Slurm really has"),
    "reference": (_HUB, "print every field of the site file"),
    "migrate": (_HUB, "print the site file that a batchspawner configuration amounts to"),
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Carry out one command and exit with its status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if not given or given[0] in {"help", "-h", "--help"}:
        print(_usage())
        raise SystemExit(0 if given else 2)
    if given[0] not in _SIDES:
        print(f"skiva: there is no command {given[0]!r:.60}.\n\n{_usage()}", file=sys.stderr)
        raise SystemExit(2)
    module, _ = _SIDES[given[0]]
    run = _load(module, given[0])
    try:
        # Some sides have several words, the others one each.
        raise SystemExit(run(given if module in {_HUB, _RUNS} else given[1:]))
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    except BrokenPipeError:
        raise SystemExit(141) from None


def _load(module: str, word: str) -> Callable[[Sequence[str]], int | None]:
    try:
        run: Callable[[Sequence[str]], int | None] = import_module(module).main
    except ModuleNotFoundError as missing:
        side = "hub" if module == _HUB else "notebook"
        print(
            f"skiva: '{word}' needs {missing.name}, which is not installed here; install skiva[{side}].",
            file=sys.stderr,
        )
        raise SystemExit(1) from None
    return run


def _usage() -> str:
    words = "\n".join(f"  {word:<9} {text}" for word, (_, text) in _SIDES.items())
    return f"Usage: skiva COMMAND [OPTIONS]\n\n{words}\n\nskiva COMMAND --help tells more."
