"""`python -I -m skiva_images.record_here NAME FORM`: prints the record of the environment of this Python."""

import argparse
import platform
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from skiva_images.definition import DefinitionError, find, load
from skiva_images.describe import describe
from skiva_images.record import Form

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Print `image.json`; exit with a sentence where that cannot be done."""
    parser = argparse.ArgumentParser(prog="python -m skiva_images.record_here", description=__doc__)
    parser.add_argument("name", help="the definition's name, or its folder")
    parser.add_argument("form", choices=get_args(Form))
    parser.add_argument("--recipe", default="", help="what identifies all that went into the build")
    parser.add_argument("--output", type=Path, help="a file to write instead; replaced in one step")
    given = parser.parse_args(arguments)
    try:
        definition = load(Path(given.name)) if "/" in given.name else find(given.name)
        record = describe(
            Path(sys.prefix),
            name=definition.name,
            label=definition.label,
            form=given.form,
            python_version=platform.python_version(),
            recipe=given.recipe,
            root=None if given.form == "env" else Path("/"),
        )
    except (DefinitionError, FileNotFoundError) as error:
        raise SystemExit(f"skiva: {error}") from None
    if given.output is None:
        sys.stdout.write(record.text())
        return
    new = given.output.with_name(f".{given.output.name}.new")
    new.write_text(record.text())
    new.chmod(0o644)
    new.replace(given.output)


if __name__ == "__main__":
    main()
