"""How clusters look in a notebook without JupyterLab, and where their pages and logs are."""

import time
from pathlib import Path
from typing import Any

import pytest
from tests.support.clusters_on_disk import cluster_id, lay_cluster

from skiva.dask.display import ShownCluster, bundle, dashboard_link, job_logs, sentence, table
from skiva.dask.status import Status, Workers

MADE = time.mktime((2026, 11, 22, 9, 5, 0, 0, 0, -1))


def _status(**more: Any) -> Status:
    known: dict[str, Any] = {"id": cluster_id(1), "name": "night", "slice": "1g", "created": MADE}
    return Status(**known | {"state": "running", "workers": Workers(wanted=4, ready=3)} | more)


def test_a_cluster_is_one_line_and_one_row() -> None:
    """Its id, name, slice, when it was made, its workers and how it is: each in its column."""
    [line] = table([_status()])["text/plain"].splitlines()
    cells = [cluster_id(1), "night", "1g", "Nov 22 09:05", "3 of 4", "It runs."]
    widths = [16, 24, 20, 13, 9]
    starts = [sum(widths[:column]) + column for column in range(6)]
    ends = [*(at - 1 for at in starts[1:]), None]
    assert [line[at:end].rstrip() for at, end in zip(starts, ends, strict=True)] == cells
    row = table([_status()])["text/html"].partition("<tbody>")[2]
    assert [cell.partition("<")[0].partition(">")[2] for cell in row.split("<td")[1:]] == cells


def test_what_is_special_is_said() -> None:
    """A simulated GPU and a scheduler that outlives the session stand beside the names."""
    line = table([_status(simulated=True, detached=True)])["text/plain"]
    assert "night (detached)" in line
    assert "1g (simulated)" in line
    plain = table([_status()])["text/plain"]
    assert "detached" not in plain
    assert "simulated" not in plain


def test_one_that_has_ended_has_no_workers_to_tell_of() -> None:
    """Its numbers would be those of its last moment."""
    assert "of 4" not in table([_status(state="closed", sentence="It was closed.")])["text/plain"]


@pytest.mark.parametrize(
    ("state", "said", "shown"),
    [
        ("running", "", "It runs."),
        ("starting", "", "It starts."),
        ("lost", "", "lost"),
        ("running", "It runs; 2 wait.", "It runs; 2 wait."),
    ],
)
def test_it_says_how_it_is(state: str, said: str, shown: str) -> None:
    """In its scheduler's words, or in words for the state."""
    assert sentence(_status(state=state, sentence=said)) == shown


def test_markup_of_others_is_text() -> None:
    """A name and an action are shown as they were written."""
    told = bundle(_status(name="<b>x</b>", action="<i>Ask</i>"))
    assert "<b>" not in told["text/html"]
    assert told["text/html"].endswith("<p>&lt;i&gt;Ask&lt;/i&gt;</p>")
    assert told["text/plain"] == f"<Cluster {cluster_id(1)} '<b>x</b>' on 1g: It runs.>"
    assert bundle(_status())["text/html"].endswith("</table>")


def test_an_empty_list_says_what_to_do() -> None:
    """Rather than nothing."""
    assert table([]) == {"text/plain": "No clusters yet. skiva.cluster(workers=…) makes one."}


def test_pages_have_an_address_in_a_session_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Outside of one there is no server that would show them."""
    inside = {"JUPYTERHUB_SERVICE_PREFIX": "/user/ann/"}
    assert dashboard_link("c", environ=inside) == "/user/ann/skiva/clusters/c/dashboard/status"
    assert dashboard_link("c", "workers", inside) == "/user/ann/skiva/clusters/c/dashboard/workers"
    assert dashboard_link("c", environ={}) == ""
    monkeypatch.setenv("JUPYTERHUB_SERVICE_PREFIX", "/user/bob/")
    assert dashboard_link("c") == "/user/bob/skiva/clusters/c/dashboard/status"


def test_logs_are_told_by_jobs_in_their_order(tmp_path: Path) -> None:
    """The scheduler's first, then array by array and task by task; what is no log of a job is left out."""
    place = lay_cluster(tmp_path, keys=False)
    assert job_logs(place) == {}
    for batch, task in ((10, 0), (2, 10), (2, 9)):
        place.logs(batch).mkdir(parents=True, exist_ok=True)
        (place.logs(batch) / f"{task}.log").write_text(f"of {batch} {task}\n")
    (place.logs(2) / "notes.log").write_text("mine")
    (place.logs(2).parent / "kept").mkdir()
    (place.logs(2).parent / "kept" / "1.log").write_text("mine")
    place.scheduler_log.write_text("of the scheduler\n")
    told = job_logs(place)
    names = ["scheduler", *(f"{place.id}-{job}" for job in ("2-9", "2-10", "10-0"))]
    assert list(told) == names
    assert [text.strip() for text in told.values()] == ["of the scheduler", "of 2 9", "of 2 10", "of 10 0"]
    shown = ShownCluster()
    shown.place = place
    assert shown.logs() == told
    assert shown.logs(names[1]) == {names[1]: told[names[1]]}
    assert shown.logs("nobody") == {}


def test_of_a_long_log_the_end_is_shown(tmp_path: Path) -> None:
    """64 KiB of it."""
    place = lay_cluster(tmp_path, keys=False)
    place.scheduler_log.write_text("".join(f"{number:07}\n" for number in range(10_000)))
    lines = job_logs(place)["scheduler"].splitlines()
    assert lines[-1] == "0009999"
    assert len(lines) in {8191, 8192}


def test_a_cluster_in_a_notebook_shows_what_its_files_tell(tmp_path: Path) -> None:
    """The card's data, and the same row, as they are at that moment."""
    shown = ShownCluster()
    shown.place = lay_cluster(tmp_path, keys=False, told={"workers": {"wanted": 2, "ready": 1}})
    told = shown._repr_mimebundle_()
    assert told["application/vnd.skiva.cluster+json"]["name"] == "cluster 1"
    assert "<td style='text-align:left'>1 of 2</td>" in told["text/html"]
