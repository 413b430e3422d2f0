"""The manual says what is there: its commands, its links, its fields of the site file."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from skiva.dask.place import ClusterDir
from skiva.runs import status
from skiva.runs.paths import RunDir
from skiva.server.clusters.handlers import ROUTES as CLUSTER_ROUTES
from skiva.server.runs.handlers import ROUTES
from skiva_hub.site import Site

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*(ROOT / "docs").rglob("*.md"), ROOT / "README.md", ROOT / "CHANGELOG.md"])
TEXTS = {page: page.read_text() for page in PAGES if "_build" not in page.parts}


def links(text: str) -> Iterator[str]:
    """The targets of a page's links and pictures, without those in code."""
    plain = re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.DOTALL)
    for match in re.finditer(r"\]\(([^)\s]+)\)", plain):
        yield match[1]


def anchors(page: Path) -> set[str]:
    """What a link to a heading of this page may say after the #."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", TEXTS, ids=lambda page: str(page.relative_to(ROOT)))
def test_relative_links_lead_somewhere(page: Path) -> None:
    """Every link from a page to another file, and to a heading in it, finds it."""
    broken = []
    for link in links(TEXTS[page]):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert not broken


def test_links_to_other_sites_are_encrypted() -> None:
    """No page sends its reader over plain http."""
    found = [link for text in TEXTS.values() for link in links(text)]
    elsewhere = [link for link in found if link.startswith("http")]
    assert 0 < len(elsewhere) < len(found)
    assert [link for link in elsewhere if not link.startswith("https:")] == []


def test_commands_exist() -> None:
    """Every `./skiva …` that a page shows is one that the script knows."""
    told = subprocess.run([ROOT / "skiva", "help"], capture_output=True, text=True, check=True).stdout
    known = set(re.findall(r"^  (\w+)|\| (\w+)", told, re.MULTILINE))
    commands = {command for pair in known for command in pair if command}
    shown = {c for text in TEXTS.values() for c in re.findall(r"\./skiva ([a-z]+)", text)}
    assert shown
    assert shown <= commands


@pytest.mark.parametrize("command", ["up", "status", "down", "env", "doctor", "migrate"])
def test_options_exist(command: str) -> None:
    """Every option that a page shows with a command is one that the command takes."""
    help_text = subprocess.run(
        [sys.executable, "-m", "skiva_hub.cli", command, "--help"], capture_output=True, text=True, check=True
    ).stdout
    lines = "\n".join(re.findall(rf"skiva {command}\b([^`\n]*)", "\n".join(TEXTS.values())))
    assert lines.strip()
    shown = set(re.findall(r"--[a-z-]+", lines))
    assert shown <= set(re.findall(r"--[a-z-]+", help_text))


def test_fields_of_the_site_file_exist() -> None:
    """Every `table.field` that a page names is a field of the site file."""
    site = Site.model_json_schema()
    tables = {
        name: site["$defs"][reference.rpartition("/")[2]]["properties"]
        for name, field in site["properties"].items()
        if (reference := field.get("items", field).get("$ref"))
    }
    named = re.findall(rf"`({'|'.join(tables)})\.(?!json`)(\w+)`", "\n".join(TEXTS.values()))
    assert named
    assert not [f"{table}.{field}" for table, field in named if field not in tables[table]]


def test_every_field_of_the_site_file_is_described() -> None:
    """The reference is written from the model, so each field must say what it is."""
    site = Site.model_json_schema()
    plain = {n: f for n, f in site["properties"].items() if "$ref" not in f.get("items", f)}
    fields = [(n, f) for d in site["$defs"].values() for n, f in d["properties"].items()]
    assert [name for name, field in [*fields, *plain.items()] if not field.get("description")] == []


def test_the_reference_of_the_site_file_is_in_the_manual_as_the_command_prints_it() -> None:
    """Readable in a checkout and on a hub without the manual; `skiva reference` writes it anew."""
    command = [sys.executable, "-m", "skiva_hub.cli", "reference"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "`hours.extend_as`\n: " in printed
    assert TEXTS[ROOT / "docs/reference/site-file.md"].endswith(f"\n\n{printed}")


def test_states_of_runs_are_those_in_the_table() -> None:
    """The contributors' table has every state that a run can have, with what it counts as, and no other."""
    rows = re.findall(r"^\| `(\w+)` \| (waiting|running|ended) \|", _runs_reference(), re.MULTILINE)
    assert dict(rows) == {**status._LIVES, **dict.fromkeys(status.ENDED, "ended")}


def test_files_of_a_run_are_those_in_the_table() -> None:
    """The contributors' table has every file that a run's directory may have."""
    shown = set(re.findall(r"^\| `([\w.]+)/?` \|", _runs_reference(), re.MULTILINE))
    run = RunDir(Path("/runs/261122-k3f9ta2x"))
    named = [name for name, value in vars(RunDir).items() if isinstance(value, property) and name != "id"]
    files = {getattr(run, name).name for name in named}
    assert files
    assert files <= shown


def test_routes_of_runs_are_those_in_the_table() -> None:
    """The reference has every address of runs, and no other."""
    page = TEXTS[ROOT / "docs/reference/rest.md"].partition("## Runs")[2].partition("\n## ")[0]
    shown = set(re.findall(r"`(?:GET|POST|DELETE) (runs[\w/]*)", page))
    assert shown == {pattern.replace("([^/]+)", "ID") for pattern, _ in ROUTES}


def test_files_of_a_cluster_are_those_in_the_table() -> None:
    """The contributors' table has every file that a cluster's directory may have."""
    page = TEXTS[ROOT / "docs/contributors/clusters.md"].partition("## Files")[2].partition("\n## ")[0]
    place = ClusterDir(Path("/clusters/261122-k3f9ta2x"))
    named = [name for name, value in vars(ClusterDir).items() if isinstance(value, property) and name != "id"]
    files = {getattr(place, name).name for name in named}
    assert files
    assert files <= set(re.findall(r"`([\w.]+)/?`", page))


def test_routes_of_clusters_are_those_in_the_table() -> None:
    """The reference has every address of clusters that is asked for by name, and no other."""
    page = TEXTS[ROOT / "docs/reference/rest.md"].partition("## Clusters")[2].partition("\n## ")[0]
    shown = set(re.findall(r"`(?:GET|POST|DELETE) (clusters[\w/]*)", page))
    known = {pattern.replace("([^/]+)", "ID").replace("(.*)", "PAGE") for pattern, _ in CLUSTER_ROUTES}
    assert shown == {route for route in known if "(" not in route}


def _runs_reference() -> str:
    return TEXTS[ROOT / "docs/contributors/runs.md"]


def test_changelog_has_the_version() -> None:
    """What is released, or about to be, stands on top of the changelog."""
    first = re.search(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert first
    assert first[1] == "Unreleased" or re.match(r"\[?\d+\.\d+\.\d+\]? - \d{4}-\d\d-\d\d", first[1])
