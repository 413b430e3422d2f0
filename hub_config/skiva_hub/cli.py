"""The `skiva` command line of the hub's side."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path


def main(arguments: Sequence[str] | None = None) -> None:
    """Carry out one command and exit with its status."""
    raise SystemExit(_run(list(sys.argv[1:] if arguments is None else arguments)))


def default_dir() -> Path:
    """The state directory where none is named."""
    if chosen := os.environ.get("SKIVA_DIR"):
        return Path(chosen)
    if os.geteuid() == 0:
        return Path("/var/lib/skiva")
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "skiva"


def _run(arguments: list[str]) -> int:
    if arguments[:1] == ["doctor"]:
        from skiva_hub import doctor

        return int(doctor.main(arguments[1:]) or 0)
    if arguments[:1] == ["migrate"]:
        from skiva_hub import migrate

        return migrate.main(arguments[1:])
    if arguments[:1] == ["reference"]:
        from skiva_hub import site_reference

        return site_reference.main(arguments[1:])
    given = _parser().parse_args(arguments)
    from skiva_hub.embedded import commands

    directory = Path(os.path.abspath(given.dir))  # noqa: PTH100 - a link in the path is the operator's choice
    match given.command:
        case "up":
            return commands.up(directory, port=given.port, detach=given.detach, with_hub=not given.no_hub)
        case "down":
            return commands.down(directory, purge=given.purge)
        case "status":
            return commands.status(directory, as_json=given.json)
        case _:
            return commands.env(directory)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="skiva", description="Skiva on this machine.")
    commands = parser.add_subparsers(dest="command", required=True)
    known = {
        "up": "start an embedded Slurm and the hub; Ctrl-C ends both",
        "status": "show what runs; exit status 3 where nothing does",
        "down": "end what runs",
        "env": "print the lines that let a shell talk to that Slurm",
        "doctor": "compare the site file with what Slurm really has",
        "reference": "print every field of the site file",
        "migrate": "print the site file that a batchspawner configuration amounts to",
    }
    made = {name: commands.add_parser(name, help=text, description=text) for name, text in known.items()}
    for command in made.values():
        command.add_argument("--dir", type=Path, default=default_dir(), help="the state directory")
    made["up"].add_argument("--port", type=_port, help="where browsers go, on 127.0.0.1 (8000 at first)")
    made["up"].add_argument("--detach", action="store_true", help="return when the hub answers")
    made["up"].add_argument("--no-hub", action="store_true", help=argparse.SUPPRESS)
    made["status"].add_argument("--json", action="store_true", help="for programs")
    made["down"].add_argument(
        "--purge", action="store_true", help="remove the directory and the accounts too"
    )
    return parser


def _port(text: str) -> int:
    if text.isascii() and text.isdigit() and 1024 <= int(text) <= 65535:
        return int(text)
    raise argparse.ArgumentTypeError("must be a number from 1024 to 65535")


if __name__ == "__main__":
    main()
