"""What other code may rely on: the names, and the types that a caller's type checker sees."""

import importlib
from pathlib import Path
from typing import assert_type

import pytest

import skiva_slurm
import skiva_spawners
from skiva_hub.site import Site, Slice
from skiva_hub.site_file import load, parse
from skiva_slurm.gres import Gres, parse_gres
from skiva_slurm.hostlist import expand
from skiva_slurm.reasons import Words, explain
from skiva_slurm.states import Life, life

EXAMPLES = Path(__file__).resolve().parents[2] / "hub_config" / "examples"


def test_spawners_show_one_class() -> None:
    """A site names `SliceSpawner`; everything else of the package is its own affair."""
    assert skiva_spawners.__all__ == ["SliceSpawner"]


@pytest.mark.parametrize("name", skiva_slurm.__all__)
def test_modules_of_the_slurm_layer_import_alone(name: str) -> None:
    """Each module that the Slurm layer names is there."""
    importlib.import_module(f"skiva_slurm.{name}")


def test_values_have_the_types_that_a_caller_sees() -> None:
    """The pure functions return plain, precise types, and no Any leaks to a caller."""
    assert assert_type(parse_gres("gpu:1g.10gb:7(S:0-1)"), tuple[Gres, ...]) == (Gres("gpu", "1g.10gb", 7),)
    assert assert_type(life("CANCELLED by 0"), Life) is Life.ENDED
    assert assert_type(expand("n[1-2]"), tuple[str, ...]) == ("n1", "n2")
    assert assert_type(explain("Priority"), Words).hopeless is False
    site = assert_type(load(EXAMPLES / "mig-cluster.toml"), Site)
    assert assert_type(site.slices_for("alice", frozenset()), tuple[Slice, ...])
    assert assert_type(parse((EXAMPLES / "embedded.toml").read_text()), Site).title
