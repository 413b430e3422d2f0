"""The command `skiva migrate`: runs a configuration if asked to, and prints the site file it amounts to."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from skiva_hub.migrate.loading import load
from skiva_hub.migrate.site_text import read

_REFUSED = 2


def main(argv: Sequence[str] | None = None) -> int:
    """Print the site file that a `jupyterhub_config.py` amounts to.

    Returns 1 where it cannot be read, and 2 where nobody agreed that it is run.
    """
    given = _parser().parse_args(argv)
    if not (given.run or _agreed(given.file)):
        return _REFUSED
    try:
        loaded = load(given.file)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the file is a program of its own
        sys.stderr.write(f"{given.file} cannot be read{_line(error, given.file)}: {_told(error)}\n")
        return 1
    text, notes = read(loaded.config, loaded.missing)
    sys.stdout.write(text + "".join(["\n"] * bool(notes)) + "".join(f"# {note}\n" for note in notes))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="skiva migrate",
        description="Print the site file that a batchspawner configuration amounts to.",
        epilog="Example: skiva migrate /etc/jupyterhub/jupyterhub_config.py > site.toml",
    )
    parser.add_argument("file", type=Path, metavar="jupyterhub_config.py", help="the configuration")
    parser.add_argument(
        "--run", action="store_true", help="run the configuration, which is how it is read, without asking"
    )
    return parser


def _agreed(path: Path) -> bool:
    """Ask on the terminal: the answer decides whether a program runs that somebody else may have written."""
    rights = "as root" if os.geteuid() == 0 else "with your rights"
    said = f"{path} is a Python program, and to read it is to run it on this machine, {rights}."
    if not sys.stdin.isatty():
        sys.stderr.write(f"{said} If that is what you want, add --run.\n")
        return False
    sys.stderr.write(f"{said}\nRun it? [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() in {"y", "yes"}:
        return True
    sys.stderr.write("It was not run.\n")
    return False


def _line(error: BaseException, path: Path) -> str:
    """Where in the configuration an error came from."""
    if isinstance(error, SyntaxError):
        return f", line {error.lineno}"
    number, at = None, error.__traceback__
    while at is not None:
        if at.tb_frame.f_code.co_filename == str(path.resolve()):
            number = at.tb_lineno
        at = at.tb_next
    return "" if number is None else f", line {number}"


def _told(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".replace("\n", " ")
