"""What a start may be asked for: everything else is refused in words, and nothing is submitted."""

import json
from typing import Any

import httpx
import pytest
from tests.support.faults import LIGHT, MINI, Faults
from tests.support.invariants import check
from tests.support.visitor import sign_in
from tests.support.waiting import wait_until

_NASTY = [
    "\n",
    "\r",
    "\x00",
    "\u2028",
    "\x1b",
    "`id`",
    "$(id)",
    ";id",
    "|id",
    "&",
    ">",
    "*",
    "~",
    "'",
    '"',
    "\\",
    "..",
]
_WRONG: dict[str, tuple[Any, ...]] = {
    "slice": (
        *(f"light{nasty}" for nasty in _NASTY),
        *("--wrap=id", "-p", "a --reservation=x", "light --uid=0", "", " light", "Light", "../light"),
        *(1, True, ["light"], {"id": "light"}, "x" * 10_000, "\uff4cight"),
    ),
    "environment": ("base\n", "$(id)", "/tmp/python", "../base", "base/../light", "none", 0),  # noqa: S108
    "hours": (
        *(0, -1, 1e9, 1e-9, True, [], float("nan"), float("inf")),
        *("2", "\u0664", "0x10", "UNLIMITED"),
    ),
    **dict.fromkeys(
        ("cmd", "keepvars", "homedir", "prologue", "req_partition", "options", "partition"), ("id",)
    ),
    **dict.fromkeys(("exec_prefix", "batch_script", "image", "env", "__class__", "user_options"), ("x",)),
}


def _jobs(faults: Faults) -> frozenset[str]:
    """All jobs that Slurm remembers; it forgets old ones meanwhile, so only new ones count."""
    return frozenset(faults.slurm("squeue", "-h", "-t", "all", "-o", "%A").split())


def test_a_wish_that_the_site_does_not_grant_is_refused_by_its_name(faults: Faults) -> None:
    """Line breaks, shell signs, smuggled options, other fields, odd numbers: 400, the field named, no job."""
    faults.client.add_user("researcher1")
    before = _jobs(faults)
    answers = []
    for field, value in ((field, value) for field, values in _WRONG.items() for value in values):
        body = json.dumps({**LIGHT, field: value}).encode()
        answer = faults.client.ask("POST", "users/researcher1/server", content=body)
        if answer.status_code != 400 or field not in answer.text:
            answers.append((field, value, answer.status_code, answer.text[:200]))
    assert not answers
    assert _jobs(faults) <= before
    check(faults.cluster, faults.client)


_BODIES = {
    "no JSON": b"{",
    "no text": b'{"slice": "\xff\xfe"}',
    "deep": b'{"slice": ' + b"[" * 20_000 + b"]" * 20_000 + b"}",
    "10 MB": b'{"slice": "' + b"x" * 10_000_000 + b'"}',
    "a list": b'["light"]',
    "a number": b"7",
}


@pytest.mark.parametrize("kind", _BODIES)
def test_a_body_that_is_no_wish_is_refused(faults: Faults, kind: str) -> None:
    """Odd and enormous bodies are the sender's mistake: 400, no job, and the log is not flooded."""
    faults.client.add_user("researcher1")
    log = faults.cluster.dir / "log" / "hub.log"
    before, size = _jobs(faults), log.stat().st_size
    try:
        answer = faults.client.ask("POST", "users/researcher1/server", content=_BODIES[kind])
    except httpx.RemoteProtocolError:
        assert kind == "10 MB", "it was not heard out"
    else:
        assert answer.status_code in ({400, 502} if kind == "10 MB" else {400}), answer.text[:300]
        assert kind == "10 MB" or len(answer.text) < 2000
    assert log.stat().st_size - size < 20_000
    assert _jobs(faults) <= before


def test_a_link_starts_nothing(faults: Faults) -> None:
    """A GET with options, from whatever page it comes, only fills in the form."""
    before = _jobs(faults)
    with sign_in(faults.cluster.url, "researcher1", faults.cluster.password) as browser:
        for path in ("/hub/spawn", "/hub/spawn/researcher1"):
            for names in (("slice", "environment"), ("opt-slice", "opt-environment")):
                page = browser.get(path, params=dict.fromkeys(names, "light"))
                assert page.status_code == 200
                assert 'id="spawn_form"' in page.text
    model = faults.client.server("researcher1")
    assert model is None or (model["stopped"] and not model["pending"])
    assert _jobs(faults) <= before


def test_what_slurm_refuses_is_told_as_one_sentence(faults: Faults) -> None:
    """A partition that is gone: plain words and Slurm's own, no job."""
    told = faults.start_and_see("researcher1", {**LIGHT, "slice": "nowhere"})
    assert "This slice's part of the cluster is gone: choose another slice. (Slurm: " in told
    check(faults.cluster, faults.client)


def test_an_environment_that_needs_a_gpu_is_refused_on_a_slice_without(faults: Faults) -> None:
    """Over REST as on the page: 400 with a sentence, nothing submitted; with a GPU it starts."""
    faults.client.add_user("researcher1")
    record = faults.python("light").with_name("python.json")
    digest = "sha256:" + "0" * 64
    values = {"name": "light", "form": "env", "digest": digest, "python": "/p", "python_version": "3"}
    before = _jobs(faults)

    def need() -> str:
        with faults.client.as_user("researcher1") as person:
            cards = person.get("skiva/slices")["environments"]
        return next(str(card["gpu"]) for card in cards if card["id"] == "light")

    try:
        record.write_text(json.dumps({**values, "gpu": "required"}))
        wait_until(lambda: need() == "required", 30, "the hub has read the record")
        answer = faults.client.ask("POST", "users/researcher1/server", json=dict(LIGHT))
        assert answer.status_code == 400
        assert (
            answer.json()["message"]
            == "environment: light needs a GPU, and light has none; choose another slice."
        )
        assert _jobs(faults) <= before
        assert faults.start_and_see("researcher1", MINI) == ""
    finally:
        record.unlink()
        wait_until(lambda: need() == "unused", 30, "the hub has seen that the record is gone")


def test_somebody_without_an_account_is_told_so(faults: Faults) -> None:
    """A name that the hub knows and the machine does not ends in words, not in an error."""
    assert "There is no account no-such-person" in faults.start_and_see("no-such-person", LIGHT)
    faults.client.ask("DELETE", "users/no-such-person")


def test_a_choice_of_yesterday_is_checked_again(faults: Faults) -> None:
    """Options that the hub has kept are worth no more than new ones: what is gone is refused by name."""
    faults.client.add_user("researcher1")
    kept = {"user_options": {**LIGHT, "slice": "gone"}}
    assert faults.client.ask("PATCH", "users/researcher1/server", json=kept).status_code == 200
    answer = faults.client.ask("POST", "users/researcher1/server")
    assert answer.status_code == 400
    assert "slice: gone" in answer.text
    kept["user_options"]["slice"] = LIGHT["slice"]
    assert faults.client.ask("PATCH", "users/researcher1/server", json=kept).status_code == 200
    assert faults.client.ask("POST", "users/researcher1/server").status_code in {201, 202}
    faults.client.wait_ready("researcher1")
