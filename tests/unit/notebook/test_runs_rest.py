"""The addresses below skiva/runs in a real Jupyter server, with runs laid out on the disk."""

import json
import os

import pytest
from tests.support.runs_lab import TOKEN, Lab
from tests.support.runs_on_disk import lay, note, run_id, write
from tornado.httpclient import AsyncHTTPClient


async def test_runs_are_listed_newest_first(lab: Lab) -> None:
    """What the directories hold comes as rows, and nothing that is no run does."""
    for number in range(3):
        place = lay(lab.runs, run_id(number), name=f"run {number}")
        os.utime(place / "spec.json", (1000 + number, 1000 + number))
    (lab.runs / ".trash").mkdir()
    code, answer = await lab.ask("runs")
    assert code == 200
    assert [row["name"] for row in answer["runs"]] == ["run 2", "run 1", "run 0"]
    assert answer["runs"][0]["state"] == "completed"
    assert (answer["removed"], answer["more"], answer["whole"], answer["trouble"]) == ([], False, True, "")
    assert answer["runs"][0]["dir"] == f"skiva-runs/{run_id(2)}"
    rest = (await lab.ask(f"runs?limit=1&before={run_id(2)}"))[1]
    assert ([row["name"] for row in rest["runs"]], rest["more"]) == (["run 1"], True)
    note(lay(lab.runs, run_id(7), end=None), "started", node="n1")
    news = (await lab.ask(f"runs?since={answer['version']}"))[1]
    assert [(row["id"], row["state"]) for row in news["runs"]] == [(run_id(7), "running")]


async def test_one_run_is_told_with_its_log_and_its_error(lab: Lab) -> None:
    """The detail has what a person looks for first, and nothing of the run's secrets."""
    run = run_id(1)
    place = lay(lab.runs, run, end="failed", source={"notebook": str(lab.runs.parent / "work" / "fit.ipynb")})
    (place / "log").write_text("<b>epoch</b> 1\r\x1b[31mred\x1b[0m\n" * 10_000)
    write(place / "error.json", {"type": "ValueError", "message": "no", "traceback": "…", "pickle": "secret"})
    write(place / "env.json", {"KEY": "secret"})
    (place / "out.ipynb").write_text("{}")
    code, told = await lab.ask(f"runs/{run}")
    assert code == 200
    assert told["log_size"] == (place / "log").stat().st_size
    assert len(told["tail"]) == 64 * 1024
    assert told["tail"].endswith("\x1b[31mred\x1b[0m\n")
    assert told["error"] == {"type": "ValueError", "message": "no", "traceback": "…"}
    assert (told["outputs"], told["result"], told["spec"]["id"]) == (["out.ipynb"], "notebook", run)
    assert told["notebook"] == "work/fit.ipynb"
    assert "secret" not in json.dumps(told)


async def test_a_log_is_read_on_from_where_it_was_left(lab: Lab) -> None:
    """Pieces put together are the log, letters of several bytes too, and no piece is larger than agreed."""
    run = run_id(1)
    text = "Zeile é 𝄞\n" * 60_000
    (lay(lab.runs, run) / "log").write_text(text)
    pieces, offset = [], 0
    while True:
        told = (await lab.ask(f"runs/{run}/log?offset={offset}"))[1]
        if not told["text"]:
            break
        assert len(told["text"].encode()) <= 256 * 1024
        pieces.append(told["text"])
        offset = told["next"]
    assert "".join(pieces) == text
    assert offset == told["size"] == len(text.encode())


async def test_what_stands_for_a_log_is_never_waited_for(lab: Lab) -> None:
    """A pipe, a device, a link out of the directory and a file of terabytes: empty, or its last part."""
    logs = [lay(lab.runs, run_id(number)) / "log" for number in range(3)]
    os.mkfifo(logs[0])
    logs[1].symlink_to("/etc/passwd")
    logs[2].mkdir()
    for number in range(3):
        assert (await lab.ask(f"runs/{run_id(number)}/log"))[1] == {"text": "", "next": 0, "size": 0}
    run = run_id(9)
    with (lay(lab.runs, run) / "log").open("wb") as file:
        file.truncate(1 << 40)
        file.seek(0, os.SEEK_END)
        file.write(b"end")
    told = (await lab.ask(f"runs/{run}/log"))[1]
    assert (told["next"], told["size"]) == (told["size"], (1 << 40) + 3)
    assert told["text"].endswith("end")
    (lab.runs / run / "tasks").symlink_to(lab.runs / run_id(0))
    assert (await lab.ask(f"runs/{run}/log?task=1"))[0] == 404


async def test_the_tasks_of_a_map_are_told_each(lab: Lab) -> None:
    """Which of them run, how far they are, how they ended; with a log of their own."""
    run = run_id(1)
    place = lay(lab.runs, run, end=None, kind="map", tasks=3)
    for number in (0, 1):
        (place / "tasks" / str(number)).mkdir(parents=True)
        note(place / "tasks" / str(number), "started", node="n1")
    note(place / "tasks" / "0", "ended", how="failed", sentence="ValueError: no")
    write(place / "tasks" / "1" / "progress.json", {"done": 2, "total": 5, "text": "half", "unit": "x"})
    (place / "tasks" / "1.log").write_text("one")
    told = (await lab.ask(f"runs/{run}/tasks"))[1]["tasks"]
    assert [(one["task"], one["state"]) for one in told] == [(0, "failed"), (1, "running"), (2, "queued")]
    assert told[0]["sentence"] == "ValueError: no"
    assert told[1]["progress"] == {"done": 2, "total": 5, "text": "half", "unit": "x"}
    assert (await lab.ask(f"runs/{run}/log?task=1"))[1]["text"] == "one"
    assert (await lab.ask(f"runs/{run}?task=1"))[1]["tail"] == "one"


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("runs?since=x", 400),
        ("runs?limit=0", 400),
        ("runs?limit=-1", 400),
        ("runs?since=" + "9" * 400, 400),
        ("runs/nothing", 404),
        ("runs/261122-aaaaaaaa", 404),
        ("runs/..%2f..%2fetc", 404),
        ("runs/261122-aaaaaaaa%0a", 404),
        ("runs/261122-aaaaaaaa/log", 404),
        ("runs/261122-aaaaaaaa/log?offset=-1", 400),
        ("runs/261122-aaaaaaaa/log?task=1e3", 400),
        ("runs/261122-aaaaaaaa/tasks", 404),
    ],
)
async def test_what_cannot_be_answered_is_one_sentence(lab: Lab, path: str, code: int) -> None:
    """The page can show it as it is."""
    status, answer = await lab.ask(path)
    assert status == code
    assert answer.keys() == {"message"}
    assert answer["message"].endswith(".")


_ADDRESSES = [
    ("GET", "runs"),
    ("POST", "runs"),
    ("GET", "runs/offer"),
    ("POST", "runs/drafts"),
    ("GET", "runs/RUN"),
    ("DELETE", "runs/RUN"),
    ("GET", "runs/RUN/log"),
    ("GET", "runs/RUN/tasks"),
    ("POST", "runs/RUN/cancel"),
    ("POST", "runs/RUN/again"),
    ("POST", "runs/RUN/restore"),
]


@pytest.mark.parametrize(("method", "path"), _ADDRESSES)
async def test_nobody_is_answered_without_login_nor_a_page_of_another_site(
    lab: Lab, method: str, path: str
) -> None:
    """No token, a wrong one, and a cookie's request that lacks the mark against forgery are refused."""
    run = run_id(1)
    lay(lab.runs, run)
    address = path.replace("RUN", run)
    body: dict[str, str] | None = {} if method == "POST" else None
    if path.endswith("restore"):
        (lab.runs / ".trash").mkdir()
        (lab.runs / run).rename(lab.runs / ".trash" / run)
    before = sorted(lab.runs.rglob("*"))
    for headers in ({}, {"Authorization": "token wrong"}, {"Origin": "http://evil.example"}):
        code, answer = await lab.ask(address, method=method, body=body, headers=headers)
        assert code == (404 if "Origin" in headers else 403)
        assert {"message"} <= set(answer) <= {"message", "reason"}
    assert sorted(lab.runs.rglob("*")) == before
    code, answer = await lab.ask(address, method=method, body=body)
    assert code not in {403, 404, 405}, "its owner is answered"


async def test_looking_at_runs_is_no_activity(lab: Lab) -> None:
    """An open panel must not keep an idle server from being culled."""
    lay(lab.runs, run_id(1))
    for path in ("runs", f"runs/{run_id(1)}", f"runs/{run_id(1)}/log", "runs/offer"):
        assert (await lab.ask(path))[0] == 200
    assert "api_last_activity" not in lab.app.web_app.settings
    await AsyncHTTPClient().fetch(f"{lab.url}api/contents?token={TOKEN}")
    assert "api_last_activity" in lab.app.web_app.settings, "what is work is noted"
