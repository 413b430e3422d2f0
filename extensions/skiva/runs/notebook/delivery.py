"""Where a finished notebook is wanted besides its run's directory."""

import os
import secrets
import shutil
from contextlib import suppress
from pathlib import Path

__all__ = ["checked_output", "deliver"]


def checked_output(output: object) -> str:
    """An absolute path at which nothing is yet; empty where none is wanted. Raises BadWish."""
    from skiva.runs.wish import BadWish

    if output is None:
        return ""
    if not isinstance(output, str | os.PathLike) or not str(output):
        raise BadWish("output: must be the path of a new notebook, such as 'results/fit.ipynb'")
    path = Path(os.path.abspath(Path(output).expanduser()))  # noqa: PTH100 - links stay as they are named
    if os.path.lexists(path):
        raise BadWish(f"output: {path} is there already; name another, nothing is ever written over")
    if not path.parent.is_dir():
        raise BadWish(f"output: there is no directory {path.parent}")
    return str(path)


def deliver(result: Path, output: str) -> str:
    """Put a copy at `output` unless something is there; a sentence on what was done."""
    target = Path(output)
    temporary = target.with_name(f".{secrets.token_hex(8)}.ipynb")
    try:
        shutil.copyfile(result, temporary)
        # Unlike a renaming, a link never takes another's place.
        os.link(temporary, target)
    except FileExistsError:
        return f"{target} is there already and stays as it is; the result is {result}"
    except OSError as problem:
        return f"{target} cannot be written ({problem.strerror}); the result is {result}"
    finally:
        with suppress(OSError):
            temporary.unlink()
    return f"the result is {target}"
