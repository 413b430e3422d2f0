"""What is shipped for Prometheus and Grafana asks for what the hub tells."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]
from prometheus_client import REGISTRY, CollectorRegistry, generate_latest
from tests.unit.pages import samples

from skiva_hub import metrics

_ROOT = Path(__file__).parents[3]
_OF_PROMETHEUS = {"job", "instance"}
"""Labels that it gives to whatever it reads."""

Labels = Mapping[str, set[str]]


@pytest.fixture
def labels() -> Labels:
    """The labels of each metric of the hub's."""
    registry = CollectorRegistry()
    watcher = SimpleNamespace(
        snapshot=samples.full(), age=1.0, readings=1, failures=0, restarts=0, last_seconds=0.1
    )
    metrics.watch(watcher, samples.site(), registry)
    metrics.count_failure("silent")
    metrics.observe_phase("ready", 2.0)
    exposed = (generate_latest(registry) + generate_latest(REGISTRY)).decode()
    return {
        name: set(re.findall(r"(\w+)=", told or ""))
        for name, told in re.findall(r"^(skiva_\w+)(\{.*\})? ", exposed, re.MULTILINE)
    }


def _not_told(expr: str, shown: str, labels: Labels) -> list[str]:
    """What an expression asks for, or a text shows by `$labels.x` or `{{x}}`, and the hub does not tell."""
    asked = re.findall(r"skiva_\w+", expr)
    assert asked, expr
    missing = [name for name in asked if name not in labels]
    told = set[str]().union(*(labels[name] for name in asked if name in labels), _OF_PROMETHEUS)
    for name, within in re.findall(r"(skiva_\w+)\{([^}]*)\}", expr):
        wanted = set(re.findall(r"(\w+)=", within))
        missing += sorted(wanted - labels.get(name, set()) - _OF_PROMETHEUS)
    grouped = [name for names in re.findall(r"by \(([^)]*)\)", expr) for name in names.split(", ")]
    named = [*grouped, *re.findall(r"\$labels\.(\w+)", shown), *re.findall(r"\{\{(\w+)\}\}", shown)]
    return missing + [name for name in named if name not in told]


def test_the_shipped_alerts_ask_for_metrics_that_there_are(labels: Labels) -> None:
    """Their names, labels and causes are the hub's, and each says what happened and what to do."""
    [group] = yaml.safe_load((_ROOT / "packaging" / "prometheus" / "alerts.yaml").read_text())["groups"]
    sources = (_ROOT / "spawners" / "skiva_spawners").glob("*.py")
    causes = set(re.findall(r'cause="(\w+)"', "".join(path.read_text() for path in sources)))
    for rule in group["rules"]:
        assert _not_told(rule["expr"], rule["annotations"]["summary"], labels) == [], rule["alert"]
        assert rule["annotations"]["summary"].endswith(".")
        assert rule["annotations"]["description"].endswith(".")
        for asked in re.findall(r'reason=~"([^"]+)"', rule["expr"]):
            assert set(asked.split("|")) <= causes


def _dashboard() -> dict[str, Any]:
    shipped: dict[str, Any] = json.loads((_ROOT / "packaging" / "grafana" / "skiva.json").read_text())
    return shipped


def test_the_shipped_dashboard_asks_for_metrics_that_there_are(labels: Labels) -> None:
    """In its panels and in its variables; each metric of the hub's is on one of the panels."""
    panels = _dashboard()["panels"]
    targets = [(panel["title"], target) for panel in panels for target in panel["targets"]]
    for title, target in targets:
        assert _not_told(target["expr"], target["legendFormat"], labels) == [], title
    for variable in _dashboard()["templating"]["list"]:
        if variable["type"] == "query":
            metric, label = re.findall(
                r"label_values\((skiva_\w+)(?:\{.*\})?, (\w+)\)", variable["definition"]
            )[0]
            assert label in labels[metric] | _OF_PROMETHEUS
            assert variable["query"]["query"] == variable["definition"]
    shown = {name for _, target in targets for name in re.findall(r"skiva_\w+", target["expr"])}
    # Clients tell of a counter when it was made, and of a histogram its sum and count, too.
    told = {name for name in labels if not name.endswith(("_created", "_sum", "_count"))}
    assert told - shown == {"skiva_slice_running"}  # what is in use says more


def test_the_shipped_dashboard_fits_any_grafana() -> None:
    """Its panels have ids and places of their own, and take their data from the source that is chosen."""
    dashboard = _dashboard()
    panels = dashboard["panels"]
    ids, places = [panel["id"] for panel in panels], [str(panel["gridPos"]) for panel in panels]
    assert (len(set(ids)), len(set(places))) == (len(panels), len(panels))
    [chosen] = [one for one in dashboard["templating"]["list"] if one["type"] == "datasource"]
    assert chosen["query"] == "prometheus"
    sources = {str(source["uid"]) for source in _values(dashboard, "datasource") if isinstance(source, dict)}
    assert sources == {f"${{{chosen['name']}}}"}
    assert [panel["title"] for panel in panels if not panel["description"].endswith(".")] == []


def _values(tree: object, key: str) -> Iterator[object]:
    """Whatever stands under this key, at any depth."""
    if isinstance(tree, dict):
        yield from (tree[key],) if key in tree else ()
        for value in tree.values():
            yield from _values(value, key)
    elif isinstance(tree, list):
        for value in tree:
            yield from _values(value, key)
