"""A plugin of pytest: what a test finds out about a mutant is the same each time, and soon found."""

import json
import sys
from collections import defaultdict
from collections.abc import Iterable
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


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with the files whose tests are the quickest, once it is known how long they take."""
    known = Path(config.rootpath, "mutmut-stats.json")
    if not known.exists():
        return
    durations: dict[str, float] = json.loads(known.read_text())["duration_by_test"]
    files: dict[Path, float] = defaultdict(float)
    for item in items:
        files[item.path] += durations.get(item.nodeid, 0.0)
    items.sort(key=lambda item: files[item.path])


def pytest_runtest_setup() -> None:
    """Forget what functions keep: a test calls whatever it needs itself."""
    for name, module in list(sys.modules.items()):
        if name.startswith("skiva"):
            _forget(vars(module).values())


def _forget(values: Iterable[object]) -> None:
    for value in values:
        clear = getattr(value, "cache_clear", None)
        if callable(clear):
            clear()
