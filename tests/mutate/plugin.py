"""A plugin of pytest: what a test finds out about a mutant is the same each time, and soon found."""

import gc
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings

# The same examples for each mutant, up to the first that fails. Profiles that a conftest registers later
# inherit from this one.
settings.register_profile(
    "mutation",
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
    print_blob=False,
)
settings.load_profile("mutation")


_scanned: set[str] = set()
_caches: list[Callable[[], object]] = []


def pytest_configure() -> None:
    """Leave what the process has been forked with out of each collection of garbage."""
    gc.freeze()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with the tests that are the quickest, once it is known how long they take."""
    known = Path(config.rootpath, "mutmut-stats.json")
    if known.exists():
        durations: dict[str, float] = json.loads(known.read_text())["duration_by_test"]
        items.sort(key=lambda item: durations.get(item.nodeid, 0.0))


def pytest_runtest_setup() -> None:
    """Forget what functions keep: a test calls whatever it needs itself."""
    for name in sys.modules.keys() - _scanned:
        _scanned.add(name)
        if name.startswith("skiva"):
            kept = (getattr(value, "cache_clear", None) for value in vars(sys.modules[name]).values())
            _caches.extend(clear for clear in kept if callable(clear))
    for clear in _caches:
        clear()
