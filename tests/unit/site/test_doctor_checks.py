"""The doctor's comparisons of a site with what Slurm says of itself: each trouble has its finding."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skiva_hub.doctor import main
from skiva_hub.doctor.command import as_json, as_text, of_slurm
from skiva_hub.doctor.facts import Facts, parse_names
from skiva_hub.doctor.finding import Finding, Level
from skiva_hub.site import Site
from skiva_hub.site_file import load
from skiva_slurm.parse import parse_nodes
from skiva_slurm.settings import parse_config, parse_records

EXAMPLES = Path(__file__).parents[3] / "hub_config" / "examples"
SAID = Path(__file__).parent / "slurm-22.05"
NODES = (SAID / "nodes.txt").read_text()


@pytest.fixture
def site() -> Site:
    """The embedded example, which fits the Slurm below."""
    return load(EXAMPLES / "embedded.toml")


@pytest.fixture
def facts() -> Facts:
    """What a real Slurm 22.05 with five nodes says."""
    nodes, name = parse_nodes(NODES), "gpu1-a1b2c3"
    return Facts(
        config=parse_config((SAID / "config.txt").read_text()),
        partitions=parse_records((SAID / "partitions.txt").read_text(), "PartitionName"),
        licenses={"matlab": 5},
        nodes=nodes | {name: replace(nodes[name], features=frozenset({"ib"}))},
    )


def changed(site: Site, table: str, **fields: Any) -> Site:
    """The site with fields of one table, or of one slice, changed."""
    data = site.model_dump(mode="python")
    rows = [row for row in data["slice"] if row["id"] == table] or [data[table]]
    rows[0].update(fields)
    return Site.model_validate(data)


def config(**settings: str) -> Callable[[Facts], Facts]:
    """Slurm with other settings."""
    return lambda facts: replace(facts, config={**facts.config, **settings})


def partition(name: str, **settings: str) -> Callable[[Facts], Facts]:
    """Slurm with other settings of one partition."""
    return lambda f: replace(f, partitions={**f.partitions, name: {**f.partitions[name], **settings}})


def test_a_site_that_fits_its_slurm_has_no_errors(site: Site, facts: Facts) -> None:
    """The embedded cluster's own site and Slurm agree; what is said of it names each slice."""
    found = of_slurm(site, facts)
    assert [f for f in found if f.level is Level.ERROR] == []
    assert [f.sentence for f in found if f.level is Level.WARNING] == [
        "Slurm 22.05.8 is of a series that got no security fixes of 2025.",
        "Nothing limits how many jobs one person may submit; all together may have 10000 (MaxJobCount).",
    ]
    assert "Slice 1g.10gb: 7 at a time on 1 node." in [f.sentence for f in found]
    assert "Slice h100: 4 at a time on 2 nodes." in [f.sentence for f in found]
    assert "Slice 2xh100: 2 at a time on 2 nodes." in [f.sentence for f in found]
    assert "Slice shard: 8 at a time on 1 node." in [f.sentence for f in found]


def name_of(value: object) -> str:
    """What stands for a parameter in a test's name, which must be the same in every process."""
    return value.__name__ if callable(value) and hasattr(value, "__name__") else str(value)[:30]


def drained(facts: Facts) -> Facts:
    """Slurm with the one node of MIG slices drained."""
    node = facts.nodes["mig-a1b2c3"]
    return replace(
        facts, nodes={**facts.nodes, node.name: replace(node, states=frozenset({"IDLE", "DRAIN"}))}
    )


SLURM = [
    (config(slurm_version="21.08.8"), "error", "Slurm 21.08.8 is too old", "Upgrade it"),
    (config(slurm_version="23.02.7"), "warning", "got no security fixes of 2025", "Upgrade it"),
    (
        config(slurm_version="24.11.4"),
        "warning",
        "lacks security fixes that 24.11.5 has",
        "Upgrade to 24.11.5",
    ),
    (config(slurm_version="24.11.5"), "ok", "Slurm 24.11.5 answers", ""),
    (config(slurm_version="26.11.0"), "ok", "Slurm 26.11.0 answers", ""),
    (config(slurm_version="master"), "warning", "calls its version 'master'", "released version"),
    (config(selecttype="select/linear"), "error", "would take a whole node", "select/cons_tres"),
    (config(selecttypeparameters="CR_CORE"), "warning", "does not count memory", "CR_Core_Memory"),
    (config(grestypes="gpu"), "error", "no gres called shard", "Add shard to GresTypes"),
    (config(schedulertype="sched/builtin"), "warning", "small sessions wait", "sched/backfill"),
    (config(schedulerparameters="defer"), "warning", "no session starts the moment", "Remove defer"),
    (config(schedulerparameters=""), "ok", "may wait some seconds", "batch_sched_delay=0"),
    (config(schedulerparameters="bf_interval=300"), "warning", "only every 300 s", "bf_interval=30"),
    (config(enforcepartlimits="NO"), "ok", "can never start in their partition", "EnforcePartLimits=ALL"),
    (config(minjobage="20 sec"), "warning", "forgets a job 20 s after", "MinJobAge=300"),
    (
        config(slurmctldparameters="rl_enable"),
        "warning",
        "limits requests (rl_enable) to 2",
        "rl_refill_rate=3",
    ),
    (config(slurmctldparameters="rl_enable,rl_refill_rate=10"), "ok", "That is enough", ""),
    (config(constraindevices="no"), "error", "does not fence devices", "ConstrainDevices=yes"),
    (config(proctracktype="proctrack/linuxproc"), "error", "outlive their job", "proctrack/cgroup"),
    (config(taskplugin="task/affinity"), "error", "lacks task/cgroup", "TaskPlugin=task/cgroup"),
    (config(constrainramspace="no"), "warning", "does not enforce memory", "ConstrainRAMSpace=yes"),
    (
        lambda f: replace(f, config={n: v for n, v in f.config.items() if n != "constraindevices"}),
        "warning",
        "does not show its cgroup.conf",
        "on every node",
    ),
    (
        config(accountingstoreflags="job_env,job_script"),
        "warning",
        "every job's environment",
        "Remove job_env",
    ),
    (config(accountingstoreflags="job_script"), "ok", "keeps every job's script", ""),
    (config(privatedata="jobs,usage"), "error", "hides jobs, and skiva-hub is no", "take jobs out of"),
    (
        config(privatedata="all"),
        "error",
        "hides jobs and nodes and partitions",
        "operators with slurmdbd alone",
    ),
    (lambda f: replace(f, partitions={}), "error", "Slurm has no partition slices", "Slurm has none"),
    (partition("gpu", State="DRAIN"), "error", "Partition gpu is DRAIN", "State=UP"),
    (partition("gpu", RootOnly="YES"), "error", "for root alone", "RootOnly=NO"),
    (partition("gpu", OverSubscribe="EXCLUSIVE"), "warning", "gives whole nodes only", "OverSubscribe"),
    (partition("gpu", OverSubscribe="FORCE:4"), "warning", "lets jobs share cores", "OverSubscribe=NO"),
    (partition("gpu", ReqResv="YES"), "warning", "asks for a reservation", "Name one"),
    (
        partition("gpu", MaxTime="4:00:00"),
        "error",
        "offers 8 hours, its partition gpu allows 4",
        "max_hours = 4",
    ),
    (
        partition("gpu", MaxCPUsPerNode="4"),
        "error",
        "2xh100 has 8 cores, its partition allows 4",
        "more than 4",
    ),
    (partition("gpu", MaxMemPerNode="4096"), "error", "2xh100 has 8192 MB, its partition allows", "4096 MB"),
    (
        config(maxarraysize="16"),
        "warning",
        "32 workers' jobs (most_jobs in [dask]), but Slurm takes at most 16",
        "write most_jobs = 16",
    ),
    (config(maxarraysize="0"), "warning", "no Dask clusters and no sweeps", "MaxArraySize=1001"),
    (
        partition("gpu", MaxTime="2:00:00"),
        "warning",
        "ask for 4 hours, partition gpu allows 2: on h100, 2xh100 none starts",
        "hours = 2 or less in [dask]",
    ),
    (lambda f: replace(f, nodes={}), "error", "Partition slices has no nodes", "Give the partition nodes"),
    (drained, "warning", "Every node for slice 1g.10gb is down or drained: mig-a1b2c3", "sinfo -R"),
]


@pytest.mark.parametrize(("change", "level", "sentence", "cure"), SLURM, ids=name_of)
def test_a_trouble_in_slurm_is_found_and_its_cure_named(
    site: Site, facts: Facts, change: Callable[[Facts], Facts], level: str, sentence: str, cure: str
) -> None:
    """One thing wrong in Slurm is one finding, which was not there before."""
    before = set(of_slurm(site, facts))
    new = [f for f in of_slurm(site, change(facts)) if f not in before]
    assert any(f.level == level and sentence in f.sentence and cure in f.cure for f in new), new


SITE: list[tuple[str, dict[str, Any], str, str, str]] = [
    (
        "1g.10gb",
        {"gres": "gpu:2g.20gb:1"},
        "error",
        "No node of slices has gres gpu:2g.20gb:1",
        "gpu:1g.10gb:7",
    ),
    ("h100", {"gres": "gpu:h100:3"}, "error", "No node of gpu has gres gpu:h100:3", "gpu:h100:2"),
    ("h100", {"gres": "gpu:2"}, "ok", "Slice h100: 2 at a time on 2 nodes", ""),
    ("h100", {"cores": 33}, "error", "No node of gpu has 33 cores", "has 32"),
    ("h100", {"memory_mb": 40000}, "error", "No node of gpu has 40000 MB of memory", "32768 MB"),
    ("h100", {"constraint": "ib"}, "ok", "Slice h100: 2 at a time on 1 node", ""),
    ("h100", {"constraint": "ibb"}, "error", "has the feature ibb", "nodes have (ib)"),
    ("h100", {"constraint": "ib|ibb"}, "ok", "Slice h100: 2 at a time on 1 node", ""),
    ("h100", {"constraint": "ib&ibb"}, "error", "has the feature ib&ibb", "nodes have (ib)"),
    ("h100", {"exclude": "gpu1-a1b2c3"}, "ok", "Slice h100: 2 at a time on 1 node", ""),
    ("h100", {"exclude": "nowhere"}, "error", "excludes nowhere, which Slurm does not have", "exclude"),
    ("1g.10gb", {"exclude": "mig-a1b2c3"}, "error", "has a place outside exclude", "out of exclude"),
    ("h100", {"licenses": "matlab:3,other"}, "error", "the licence other", "Slurm has matlab"),
    ("h100", {"licenses": "matlab:6"}, "error", "asks for 6 licences matlab; Slurm has 5", "Ask for 5"),
    ("h100", {"extra_gres": ["tmpdisk:100"]}, "error", "has gres tmpdisk:100", "Correct extra_gres"),
    ("h100", {"partition": "cpu,gpu"}, "ok", "Slice h100: 4 at a time on 2 nodes", ""),
    (
        "h100",
        {"reservation": "course"},
        "warning",
        "the reservation course, which is not there",
        "scontrol create",
    ),
    ("h100", {"account": "physics"}, "warning", "keeps no accounts, so it means nothing", "Remove account"),
    ("dask", {"most_jobs": 1002}, "warning", "takes at most 1001 in one array", "MaxArraySize=1002"),
    (
        "dask",
        {"most_slice_hours": 6},
        "warning",
        "one worker on 2xh100 is 8 slice-hours, a person may ask for 6",
        "most_slice_hours = 8",
    ),
    ("cluster", {"fenced": False}, "warning", "the site file says that nodes fence nothing", "remove fenced"),
]


@pytest.mark.parametrize(("table", "fields", "level", "sentence", "cure"), SITE, ids=name_of)
def test_a_trouble_in_the_site_is_found_and_its_cure_named(
    site: Site, facts: Facts, table: str, fields: dict[str, Any], level: str, sentence: str, cure: str
) -> None:
    """What a slice asks for and no node has is an error that says what the nodes have."""
    found = of_slurm(changed(site, table, **fields), facts)
    assert any(
        f.level == level and sentence.lower() in f.sentence.lower() and cure in f.cure for f in found
    ), found


@pytest.mark.parametrize(
    ("accounts", "level", "sentence"),
    [
        (frozenset({"root", "physics"}), None, ""),
        (frozenset({"root"}), "error", "names the account physics, which Slurm does not have"),
        (None, "warning", "sacctmgr does not answer"),
    ],
)
def test_accounts_and_qos_are_looked_up_where_slurm_keeps_them(
    site: Site, facts: Facts, accounts: frozenset[str] | None, level: str | None, sentence: str
) -> None:
    """With slurmdbd an account that does not exist is an error, without an answer a warning."""
    with_database = replace(
        facts,
        accounts=accounts,
        config={**facts.config, "accountingstoragetype": "accounting_storage/slurmdbd"},
    )
    wrong = changed(site, "h100", account="physics")
    found = [
        f
        for f in of_slurm(wrong, with_database)
        if "account" in f.sentence and f.group.value.startswith("Acc")
    ]
    assert [(f.level, sentence in f.sentence) for f in found] == ([(level, True)] if level else [])


@pytest.mark.parametrize("setting", ["AllowAccounts", "AllowQos"])
def test_a_partition_that_does_not_take_a_slices_account_is_an_error(
    site: Site, facts: Facts, setting: str
) -> None:
    """What a partition lets in is compared with what the slice will ask for."""
    name = {"AllowAccounts": "account", "AllowQos": "qos"}[setting]
    found = of_slurm(changed(site, "h100", **{name: "physics"}), partition("gpu", **{setting: "a,b"})(facts))
    assert any("names physics, which partition gpu does not take" in f.sentence for f in found)


def test_what_slurm_says_is_read_as_it_stands() -> None:
    """Configuration with cgroup.conf's part, records and names of sacctmgr."""
    read = parse_config(
        "Configuration data as of x\nSlurmctldHost[0] = head(1)\nA = (null)\n\nX:\nB-C = 1\nD=e=f\n"
    )
    assert read == {"slurmctldhost[0]": "head(1)", "a": "", "d": "e=f"}
    assert parse_records("ReservationName=a X=1 X:Y=2\nNo such\n", "ReservationName")["a"]["X:Y"] == "2"
    assert parse_names("a\n\n b \n") == {"a", "b"}


@given(st.text(max_size=300))
def test_no_text_of_slurm_breaks_the_parsers(text: str) -> None:
    """Whatever a command prints, reading it ends without an error of its own."""
    parse_config(text)
    parse_records(f"Name=x {text}", "Name")
    parse_names(text)


@given(
    st.dictionaries(
        st.sampled_from(["MaxTime", "MaxMemPerNode", "State", "AllowQos", "x"]), st.text(max_size=9)
    )
)
def test_no_setting_breaks_the_checks(settings: dict[str, str]) -> None:
    """Whatever a partition's settings hold, the checks end with findings."""
    site = load(EXAMPLES / "embedded.toml")
    partitions = {p.name: settings for p in site.partition}
    config = dict.fromkeys(["slurm_version", "minjobage", "schedulerparameters"], "9" * 30)
    assert of_slurm(site, Facts(config=config, partitions=partitions, nodes=parse_nodes(NODES)))


def test_findings_are_printed_in_groups_with_a_sum(site: Site, facts: Facts) -> None:
    """People read groups, marks and cures; colour and control characters come only where they are wanted."""
    found = [
        *of_slurm(site, facts),
        Finding(Level.ERROR, of_slurm(site, facts)[0].group, "a\x1b[0mb", "c\nd"),
    ]
    text = as_text(Path("site.toml"), found, colour=False)
    assert "  warning  Slurm 22.05.8 is of a series" in text
    assert "    error  a [0mb\n           c d\n" in text
    assert text.splitlines()[-1].startswith("1 error, 2 warnings, ")
    assert "\x1b" not in text
    assert "\x1b[31m  error\x1b[0m" in as_text(Path("site.toml"), found, colour=True)
    assert '"errors": 1' in as_json(Path("site.toml"), found)


def test_the_site_file_is_the_one_that_is_named_or_the_nearest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """--site, --dir, SKIVA_SITE, the directory that ./skiva chose, the folder one is in: in this order."""
    from skiva_hub.doctor.command import _arguments, _site_path

    def chosen(*given: str) -> str:
        return str(_site_path(_arguments().parse_args(given)))

    for name in ("SKIVA_SITE", "SKIVA_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    assert chosen().endswith("/skiva/site.toml")
    Path("site.toml").touch()
    assert chosen() == "site.toml"
    monkeypatch.setenv("SKIVA_DIR", "/d")
    assert chosen() == "/d/site.toml"
    monkeypatch.setenv("SKIVA_SITE", "/s.toml")
    assert chosen() == "/s.toml"
    assert chosen("--dir=/e") == "/e/site.toml"
    assert chosen("--dir=/e", "--site=/f.toml") == "/f.toml"


def test_a_site_file_that_is_no_good_is_told_as_it_stands(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The doctor begins with the file's own mistakes, and goes no further."""
    path = tmp_path / "site.toml"
    path.write_text("title = 1\n")
    assert main([f"--site={path}"]) == 1
    assert f"{path}:1: title: must be text — write e.g. title" in capsys.readouterr().err
