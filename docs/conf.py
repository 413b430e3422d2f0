"""How the manual is built: `sphinx-build -n -W docs OUT`; without the network."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
project = "Skiva"
author = "Skiva contributors"
project_copyright = "2026, Skiva contributors"
release = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]

extensions = ["myst_parser"]
exclude_patterns = ["_build"]
myst_enable_extensions = ["attrs_inline", "colon_fence", "deflist", "fieldlist"]
myst_heading_anchors = 3
suppress_warnings = ["epub"]

html_theme = "pydata_sphinx_theme"
html_title = "Skiva"
html_static_path = ["_static"]
html_theme_options = {
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
    "show_prev_next": False,
    "use_edit_page_button": False,
}
