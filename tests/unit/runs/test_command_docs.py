"""The manual shows options that there are."""

import re
from pathlib import Path

import pytest

from skiva.magics.options import parse
from skiva.runs.command import main

_ROOT = Path(__file__).resolve().parents[3]
_TEXT = "\n".join(page.read_text() for page in [*(_ROOT / "docs").rglob("*.md"), _ROOT / "README.md"])


@pytest.mark.parametrize("word", ["submit", "jobs", "logs", "cancel", "result"])
def test_options_exist(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Every option that a page shows behind one of our words is one that it takes."""
    with pytest.raises(SystemExit) as asked:
        main([word, "--help"])
    assert asked.value.code == 0
    known = set(re.findall(r"(?<!\w)--?[a-z][a-z-]*", capsys.readouterr().out))
    shown: set[str] = set()
    for line in re.findall(rf"\bskiva {word}\b([^`\n|]*)", _TEXT):
        ours = re.split(r" -- |\w\.py|\w\.ipynb|PROGRAM", line)[0]
        shown |= set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", ours))
    assert shown or word == "cancel"  # which has none
    assert shown <= known


def test_lines_of_cells_are_possible() -> None:
    """Every %%batch that a page shows is understood."""
    lines = re.findall(r"^%%batch(.*)$", _TEXT, re.MULTILINE)
    assert lines
    for line in lines:
        if not line.startswith(" again submits"):
            parse(line)
