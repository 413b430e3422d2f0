"""Loading a site file: what is good loads, what is wrong is told with its line, its field and its cure."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from skiva_hub.site import Site
from skiva_hub.site_file import SiteError, load, parse

EXAMPLES = Path(__file__).parents[3] / "hub_config" / "examples"
GOOD = """\
[hub]
api_url = "https://hub.example.org/hub/api"
[[partition]]
name = "gpu"
[[slice]]
id = "h100"
title = "One H100"
partition = "gpu"
gres = "gpu:h100:1"
memory_mb = 16000
[[environment]]
id = "base"
title = "JupyterLab"
python = "/opt/base/bin/python"
"""


def refused(text: str) -> str:
    """What is said about a text that is no good site."""
    with pytest.raises(SiteError) as caught:
        parse(text)
    return str(caught.value)


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.toml")), ids=lambda p: p.stem)
def test_every_example_loads(path: Path) -> None:
    """The examples that operators start from are good sites."""
    assert load(path).slice


def test_what_the_file_says_is_what_the_site_has() -> None:
    """Values arrive in the model as they stand in the file."""
    site = parse(GOOD)
    assert (site.slice[0].gres, site.slice[0].memory_mb, site.hub.ports) == (
        "gpu:h100:1",
        16000,
        (20000, 40000),
    )
    assert str(site.environment[0].python) == "/opt/base/bin/python"


MEMORY = "memory_mb = 16000"
GRES = 'gres = "gpu:h100:1"'
TITLE = 'title = "One H100"'
PARTITION = 'partition = "gpu"'
URL = '"https://hub.example.org/hub/api"'
PYTHON = '"/opt/base/bin/python"'
CASES = [
    (
        MEMORY,
        'memory_mb = "16G"',
        'slice[1] "h100" · memory_mb: must be a whole number',
        "write whole megabytes, without quotes, e.g. memory_mb = 16000",
    ),
    (MEMORY, "memory_mb = 12", "greater than or equal to 128", "memory_mb = 16000"),
    (MEMORY, "memory_mb = true", "must be a whole number", "memory_mb = 16000"),
    (MEMORY, "memory = 16000", 'slice[1] "h100" · memory: is not known', "did you mean 'memory_mb'?"),
    (MEMORY, "", "memory_mb: is missing", "add e.g. memory_mb = 16000 below [[slice]]"),
    (GRES, 'gres = "gpu"', "gres: must be name:count or name:type:count", 'gres = "gpu:1g.10gb:1"'),
    (GRES, 'gres = "shard:1"', "isolation: shard:1 is not fenced", 'write isolation = "shared"'),
    (GRES, "", "isolation: a slice without gres", 'write isolation = "none"'),
    (PARTITION, 'partition = "gpus"', "'gpus' is not among the file's partitions", "write one of gpu"),
    (PARTITION, 'partition = "gpu,none"', "'none' is not among the file's partitions", "named 'none'"),
    (PARTITION, 'partition = "gpu"\nconstraint = "a&b|c"', "constraint: must be a feature, or", '"h100"'),
    (PARTITION, 'partition = "gpu"\nlicenses = "a b"', "licenses: must be name, name:count", "matlab:1"),
    (PARTITION, 'partition = "gpu"\nexclude = "/etc/x"', "exclude: must be names of nodes", "gpu[01-03]"),
    (
        PARTITION,
        'partition = "gpu"\nexclude = "n[2-1]"',
        "exclude: a list of nodes has a range",
        "gpu[01-03]",
    ),
    (PARTITION, 'partition = "gpu"\nextra_gres = ["gpu:1"]', "gpu:1 is a device", "write it as gres"),
    (PARTITION, 'partition = "gpu"\nextra_gres = ["a:1", "a:2"]', "a is asked for twice", "whole count"),
    (PARTITION, 'partition = "gpu"\nextra_gres = ["tmp"]', "must be name:count", '["tmpdisk:100"]'),
    (
        PARTITION,
        'partition = "a b"',
        "partition: must be a partition, or several with commas",
        'e.g. partition = "gpu"',
    ),
    (TITLE, 'title = "One\\nH100"', "title: must be one line", 'e.g. title = "A seventh of an H100"'),
    (TITLE, f'{TITLE}\nusers = "bob"', "users: must be a list", 'users = ["alice", "bob"]'),
    (TITLE, f"{TITLE}\nstart_seconds = 9", "is not known", "it belongs below [limits]"),
    (TITLE, f'{TITLE}\nnotice = "x"', "is not known", "it belongs at the top"),
    (TITLE, f'{TITLE}\nsimulated = "no"', "must be true or false", "simulated = false"),
    (TITLE, f"{TITLE}\nmax_hours = nan", "finite number", "max_hours = 8.0"),
    (TITLE, f'{TITLE}\nisolation = "some"', "'exclusive', 'shared' or 'none'", "isolation ="),
    ("[[slice]]", "[slice]", "slice: must be a list", "write [[slice]], with two brackets"),
    ("[hub]", "[[hub]]", "hub: must be a table", "write [hub], with one bracket"),
    (
        "[[partition]]",
        '[cluster]\ndevices = ["dev/x"]\n[[partition]]',
        "devices[1]: must be the path",
        "devices =",
    ),
    (
        URL,
        '"http://hub.example.org/hub/api"',
        "api_url: is plain http",
        "use https, or add plain_http = true",
    ),
    (URL, '"hub.example.org"', "must be an http:// or https:// address", "api_url ="),
    (URL, '"https://[1/"', "is not an address", "api_url ="),
    (
        "[[partition]]",
        "ports = [5, 6]\n[[partition]]",
        "hub · ports: must be from 1024",
        "ports = [20000, 40000]",
    ),
    (
        "[[partition]]",
        "ports = [5.5, 6]\n[[partition]]",
        "hub · ports[1]: must be a whole number",
        "ports = [20000",
    ),
    ("[[partition]]", 'run_dirs = "../x"\n[[partition]]', "run_dirs: must be below the home", "run_dirs ="),
    (
        "[hub]",
        "[hours]\ndefault = 9\n[hub]",
        "hours · default: is more than max, 8 hours",
        "write default = 8",
    ),
    (
        "[hub]",
        "[batch]\nhours = 80\n[hub]",
        "batch · hours: is more than max_hours, 72",
        "write hours = 72",
    ),
    ("[hub]", "[batch]\nmax_hours = 0.5\n[hub]", "batch · hours: is more than max_hours, 0.5", "hours = 0.5"),
    ("[hub]", "[batch]\nmost = 0\n[hub]", "batch · most: ", "most = 1000"),
    ("[hub]", "[dask]\nhours = 30\n[hub]", "dask · hours: is more than max_hours, 24", "write hours = 24"),
    (
        "[hub]",
        "[dask]\nmost_slice_hours = 2\n[hub]",
        "dask · most_slice_hours: is less than hours, 4, so that no worker could start",
        "write most_slice_hours = 4 or more",
    ),
    ("[hub]", "[dask]\nmost_jobs = 0\n[hub]", "dask · most_jobs: ", "most_jobs = 32"),
    (
        "[hub]",
        '[dask]\nruns = "x"\n[hub]',
        "dask · runs: is not known",
        "it belongs below [batch]",
    ),
    (
        "[hub]",
        '[batch]\nruns = "/scratch/runs"\n[hub]',
        "runs: is the same directory for everybody",
        "{user}",
    ),
    ("[hub]", '[batch]\nruns = "/{user}"\n[hub]', "runs: is the same directory for everybody", "runs ="),
    ("[hub]", '[batch]\nruns = "../x"\n[hub]', "runs: must be a path of letters", 'runs = "skiva-runs"'),
    ("[hub]", '[batch]\nruns = "a b"\n[hub]', "runs: must be a path of letters", 'runs = "skiva-runs"'),
    ("[hub]", '[batch]\nruns = "{user}"\n[hub]', "runs: must be a path of letters", 'runs = "skiva-runs"'),
    ("[hub]", '[batch]\nruns = ""\n[hub]', "runs: must be a path of letters", 'runs = "skiva-runs"'),
    ("[hub]", "[batch]\nextend_by = 1\n[hub]", "extend_by: is not known", "it belongs below [hours]"),
    (
        "[[partition]]",
        '[cluster]\nclient = ["/opt/my slurm"]\n[[partition]]',
        "client[1]: may have only letters",
        "without others",
    ),
    ("[hub]", "[[environment]]\n[hub]", "environment[1] · python: is missing", "below [[environment]]"),
    (PYTHON, '"bin/python"', "python: must be an absolute path", "beginning with /"),
    (PYTHON, f'{PYTHON}\nimage = "/x.sif"', "image: is not used by the launcher direct", "launcher ="),
    (
        "[[environment]]",
        '[[environment]]\nlauncher = "namespace"',
        "image: is missing, and the launcher namespace needs one",
        "write image =",
    ),
    (PYTHON, f'{PYTHON}\nlauncher = "docker"', "'apptainer' or 'pyxis'", 'launcher = "namespace"'),
    (PYTHON, f'{PYTHON}\nbinds = ["scratch"]', "binds[1]: must be an absolute path", "beginning with /"),
    (PYTHON, '"/opt/$(id)/python"', "python: may have only letters", "install it below"),
    ("[hub]", "[limit]\nservers = 2\n[hub]", "limit: is not known here", "did you mean 'limits'?"),
    ("[hub]", "zzz = 1\n[hub]", "zzz: is not known here", "remove it; known here: title, notice, hub"),
]


@pytest.mark.parametrize(("old", "new", "what", "cure"), CASES, ids=lambda v: str(v)[:24])
def test_a_mistake_names_its_line_its_field_and_its_cure(old: str, new: str, what: str, cure: str) -> None:
    """Each kind of mistake is one sentence that begins with file and line and ends with what to write."""
    assert GOOD.count(old) >= 1
    text = GOOD.replace(old, new, 1)
    said = next(line for line in refused(text).splitlines() if what in line)
    place, _, rest = said.partition(": ")
    assert place.startswith("site.toml:")
    number = int(place.removeprefix("site.toml:"))
    assert cure in rest.partition(" — ")[2]
    first_changed = GOOD[: GOOD.index(old)].count("\n") + 1
    header = text[: text.index("[[slice]]")].count("\n") + 1 if "[[slice]]" in text else first_changed
    # What is written in one line is wrong there, or as a part of its table.
    assert number in {first_changed, first_changed + 1 if "\n" in new else header}, said


SYNTAX = [
    (GOOD + "x", 15, "write name = value"),
    (GOOD + "x = y\n", 15, "put text in quotes"),
    (GOOD + "x = True\n", 15, "true and false in small letters"),
    (GOOD + 'python = "/b"\n', 15, "it is there twice; keep one"),
    (GOOD + "[hub]\n", 15, "this [table] is there twice"),
    (GOOD + '\n\nx = ["a"\n\n', 17, "close the list with ]"),
    (GOOD + 'x = "a\n"\n', 15, "close the quote on the same line"),
    (GOOD + "[x\n", 15, "close the table's name"),
    (GOOD + 'x = "\\d"\n', 15, "write \\\\ for one backslash"),
    ("a b\n" + GOOD, 1, "write name = value"),
]


@pytest.mark.parametrize(("text", "line", "cure"), SYNTAX, ids=lambda v: str(v)[-20:])
def test_what_is_no_toml_is_told_with_its_line_and_cure(text: str, line: int, cure: str) -> None:
    """A syntax error is one sentence with its line, like any other mistake."""
    said = refused(text)
    assert said.startswith(f"site.toml:{line}: ")
    assert cure in said


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file() -> None:
    """Fields, names that do not fit and unknown keys come together, sorted by line, none twice."""
    text = 'titel = "x"\n' + GOOD.replace("16000", "-1").replace('partition = "gpu"', 'partition = "cpu"')
    text += (
        '[[slice]]\nid = "h100"\ntitle = "again"\npartition = "gpu"\nmemory_mb = 999\nisolation = "none"\n'
    )
    lines = refused(text).splitlines()
    numbers = [int(line.split(":")[1]) for line in lines]
    assert numbers == sorted(numbers) == [1, 9, 11, 17]
    assert len(set(lines)) == len(lines)


def test_lists_of_which_every_table_is_wrong_are_not_called_empty_too() -> None:
    """A mistake is told where it was made and not once more as a consequence."""
    said = refused(GOOD.replace("16000", "-1"))
    assert len(said.splitlines()) == 1


def test_a_value_over_several_lines_is_told_with_its_first_line() -> None:
    """The line of a long list is the one that its name stands on."""
    text = GOOD.replace(
        "[[partition]]", 'ports = [\n  1, # low\n  2,\n]\n[[partition]]\nusers = [\n"a b",\n]', 1
    )
    assert [int(line.split(":")[1]) for line in refused(text).splitlines()] == [3, 8]


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (lambda _: None, "there is no such file"),
        (lambda p: p.mkdir(), "cannot be read: is a directory"),
        (lambda p: p.write_bytes(b'title = "x"\nnotice = "\xff"\n'), "is not UTF-8"),
        (lambda p: p.write_bytes(b"#" * (2 * 1024 * 1024)), "larger than 1 MiB"),
        (lambda p: p.write_text("a = " + "[" * 9999), "too deep"),
        (lambda p: p.write_text("a = " + "9" * 9999), "number or date"),
        (lambda p: p.write_text(""), "environment: is missing"),
    ],
    ids=["missing", "directory", "encoding", "large", "deep", "number", "empty"],
)
def test_a_file_that_cannot_be_read_is_told_with_its_path(make: Any, what: str, tmp_path: Path) -> None:
    """Whatever lies at the path, the answer is a sentence that names the path and a cure."""
    path = tmp_path / "site.toml"
    make(path)
    with pytest.raises(SiteError) as caught:
        load(path)
    said = str(caught.value).splitlines()[0]
    assert said.startswith(str(path))
    assert what in said
    assert " — " in said


def test_a_byte_order_mark_and_carriage_returns_do_no_harm(tmp_path: Path) -> None:
    """A file that was saved by another system's editor is read, and its lines are counted the same."""
    path = tmp_path / "site.toml"
    path.write_bytes(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())
    assert load(path) == parse(GOOD)
    path.write_bytes(GOOD.replace("16000", "1").replace("\n", "\r\n").encode())
    with pytest.raises(SiteError, match=r":10: slice\[1\]"):
        load(path)


keys = st.sampled_from(
    [*Site.model_fields, "name", "id", "users", "memory_mb", "titel", "é", "", "a\nb", "\x1b[31m"]
)
values = st.recursive(
    st.one_of(
        st.booleans(),
        st.integers(),
        st.integers(min_value=10**300),
        st.floats(),
        st.text(max_size=8),
        st.dates(),
        st.sampled_from(["gpu", "http://x", "/bin/python", "shard:1"]),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(keys, inner, max_size=4)),
    max_leaves=12,
)


@given(st.text(max_size=200))
@example("[[slice]]\n[slice.x]\n[[slice]]\n")
@example("a.b.c = 1\n[a.d]\n")
def test_no_text_brings_anything_but_a_site_error(text: str) -> None:
    """Whatever is in the file, the operator sees sentences and never a traceback."""
    assert " — " in refused(text)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.dictionaries(keys, values, max_size=6))
def test_every_mistake_in_any_tables_has_a_line_of_the_file_and_a_cure(data: dict[str, Any]) -> None:
    """Each sentence is one line, begins with a line number that the file has, and ends with a cure."""
    text = _toml(data)
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    with pytest.raises(SiteError) as caught:
        parse(text)
    for problem, line in zip(caught.value.problems, str(caught.value).split("\n"), strict=True):
        assert 1 <= problem.line <= text.count("\n") + 1
        assert line.startswith(f"site.toml:{problem.line}: ")
        assert problem.cure
        assert line.isprintable()


def _toml(data: dict[str, Any]) -> str:
    import json

    def write(value: Any) -> str:
        if isinstance(value, dict):
            return "{" + ", ".join(f"{json.dumps(k)} = {write(v)}" for k, v in value.items()) + "}"
        if isinstance(value, list):
            return "[" + ", ".join(map(write, value)) + "]"
        if isinstance(value, float):
            return str(value)
        return json.dumps(value) if isinstance(value, (str, bool, int)) else str(value)

    return "".join(f"{json.dumps(k)} = {write(v)}\n" for k, v in data.items())


def test_how_many_devices_a_session_must_open_is_known_where_it_is_proved() -> None:
    """A MIG instance is three device files, a GPU one; what is shared or has no gres is not counted."""
    slices = {s.id: s for s in load(EXAMPLES / "mig-cluster.toml").slice}
    assert {name: s.devices_wanted for name, s in slices.items()} == {
        "cpu": None,
        "1g.10gb": 3,
        "3g.40gb": 3,
        "h100": 1,
        "4xh100": 4,
        "course": 3,
    }
    assert {s.id: s.devices_wanted for s in load(EXAMPLES / "embedded.toml").slice}["shard"] is None
