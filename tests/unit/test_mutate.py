"""What tells whether the tests notice anything notices it itself."""

import shutil
from pathlib import Path

from tests.mutate import report, runner
from tests.mutate.mutants import mutate
from tests.mutate.tree import Trees, modules, tried_with

ROOT = Path(__file__).resolve().parents[2]
FILE = Path("lib/sums/add.py")
SOURCE = '''\
"""Sums."""


def add(one: int, other: int) -> int:
    return one + other


class Sum:
    # How it begins.
    def __init__(self) -> None:
        self.value = 0

    def down(self, number: int) -> None:
        while number > 0:
            number -= 1


def unused() -> bool:
    return True
'''
TESTS = """\
from sums.add import Sum, add


def test_a_sum() -> None:
    assert add(2, 0) == 2


def test_a_beginning() -> None:
    assert Sum().value == 0


def test_an_end() -> None:
    Sum().down(3)


def test_a_failure() -> None:
    assert add(1, 1) == 3
"""
PROJECT = (
    '[tool.pytest.ini_options]\naddopts = "--import-mode=importlib"\n[tool.mutmut]\nsource_paths = ["lib"]\n'
)


def test_each_mutant_meets_its_fate(tmp_path: Path) -> None:
    """Noticed, survived, endless and untested ones are told apart; a failing test notices none."""
    trees = Trees((FILE.parent,), *(tmp_path / name for name in ("mutated", "plain", "s")))
    trees.scratch.mkdir()
    for tree in (trees.plain, trees.mutated):
        (tree / FILE).parent.mkdir(parents=True)
        (tree / FILE).write_text(SOURCE)
        (tree / "pyproject.toml").write_text(PROJECT)
        (tree / "tests").mkdir()
        (tree / "tests/test_sums.py").write_text(TESTS)
        shutil.copytree(ROOT / "tests/mutate", tree / "tests/mutate")
    text, mutants = mutate(trees.plain, FILE, trees.module(FILE))
    (trees.mutated / FILE).write_text(text)
    result = runner.run(trees, [one.name for one in mutants], ["tests/test_sums.py"], jobs=2, seconds=0.5)
    told = report.text(mutants, result, floor=85.0).splitlines()
    assert told[:3] == [
        "                  mutants   noticed timed out  survived  untested  per cent",
        "lib/sums/add.py         9         2         2         4         1      44.4",
        "together                9         2         2         4         1      44.4",
    ]
    assert "tests/test_sums.py::test_a_failure fails without any mutant, and was left out:" in told
    assert f"{FILE}: no test calls unused (1 mutants)" in told
    found = told.index(f"{FILE}:5 in add")
    assert told[found + 1 : found + 3] == ["-    return one + other", "+    return one - other"]
    assert told.count(f"{FILE}:14 in Sum.down") == 2
    assert told[-1] == "44.4 % of 9 mutants were noticed; 85 % must be."
    assert round(report.share(mutants, result), 1) == 44.4


def test_each_package_has_its_tests() -> None:
    """Whatever may be mutated is tried with tests that are there."""
    for package in ("hub_config/skiva_hub", "spawners", "extensions/skiva", "images/skiva_images"):
        files = modules(ROOT, [Path(package)])
        assert len(files) > 5
        assert all((ROOT / tests).is_dir() for tests in tried_with(files))
