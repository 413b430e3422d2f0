"""Keeps the settings in a person's home from the server; what JupyterLab keeps there of their taste stays."""

import sys
from pathlib import Path

__all__ = ["read_only_operators_settings"]


def read_only_operators_settings() -> None:
    """Hide the home's directories of settings; must be called before anything of Jupyter's is imported.

    JupyterHub hides the files of settings and the extensions that lie there, but not what says which
    extensions JupyterLab shall leave out, nor which of the server's.
    """
    from jupyter_core import paths

    known = paths.jupyter_config_path

    def without_home() -> list[str]:
        return [path for path in known() if _is_operators(Path(path).resolve())]

    paths.jupyter_config_path = without_home


def _is_operators(path: Path) -> bool:
    # One person's own installation may lie in their home, whole.
    return path.is_relative_to(Path(sys.prefix).resolve()) or not path.is_relative_to(Path.home().resolve())
