"""What people may ask for and what travels: odd wishes are refused in words, secrets stay."""

import os
import pickle
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skiva.runs.environment import for_slurm, travelling
from skiva.runs.ids import is_run_id, new_run_id
from skiva.runs.paths import NotYours, RunDir, own_place, runs_dir
from skiva.runs.travel import Stays, packed, packed_variables
from skiva.runs.wish import BadWish, job_name, wish

_SECRETS = (
    "JUPYTERHUB_API_TOKEN",
    "JUPYTERHUB_USER",
    "JPY_API_TOKEN",
    "HF_TOKEN",
    "WANDB_API_KEY",
    "AWS_SECRET_ACCESS_KEY",
    "DB_PASSWORD",
    "PGPASSWORD",
    "SSH_AUTH_SOCK",
    "SSH_CONNECTION",
    "SLURM_JOB_ID",
    "SBATCH_ACCOUNT",
    "SKIVA_RUN_DIR",
    "SKIVA_RUN",
    "RAY_TOKEN",
    "DASK_TOKEN",
    "TF_SECRET",
    "TORCH_PRIVATE_KEY",
    "CUDA_VISIBLE_DEVICES",
    "DASK_DISTRIBUTED__DASHBOARD__LINK",
)


# -- what travels --------------------------------------------------------------------------


@given(
    st.dictionaries(st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ_", min_size=1), st.text(max_size=9)),
    st.sampled_from(
        ["JUPYTERHUB_", "JPY_", "SSH_", "SLURM_", "SBATCH_", "SQUEUE_", "SKIVA_", "MY_TOKEN_", "X_SECRET_"]
    ),
)
def test_what_belongs_to_a_session_never_travels(environ: dict[str, str], prefix: str) -> None:
    """Nothing with such a name goes along or to sbatch, whatever follows it."""
    marked = {
        f"{prefix}{name}": value for name, value in environ.items() if f"{prefix}{name}" != "SLURM_CONF"
    }
    assert not marked.keys() & travelling(environ | marked).keys()
    assert not marked.keys() & for_slurm(environ | marked, None).keys()


def test_what_programs_need_travels() -> None:
    """Paths, languages, threads, caches, proxies, as they are here; nothing that the job has of its own."""
    along = {
        name: f"of {name}"
        for name in (
            *("PATH", "LANG", "LC_TIME", "TZ", "VIRTUAL_ENV", "CONDA_PREFIX", "LD_LIBRARY_PATH", "SCRATCH"),
            *("OMP_NUM_THREADS", "CUDA_HOME", "NCCL_DEBUG", "DASK_TEMPORARY_DIRECTORY", "HF_HOME"),
            *("XDG_CACHE_HOME", "MODULEPATH", "https_proxy", "NO_PROXY", "SSL_CERT_FILE", "PYTHONHASHSEED"),
        )
    }
    stays = dict.fromkeys(("TMPDIR", "CUDA_DEVICE_ORDER", "PYTHONPATH", "LD_PRELOAD", "PATHS", "HOME"), "x")
    assert travelling(along | stays) == along | {"PYTHONUNBUFFERED": "1"}
    assert travelling({"LANG": "C"}, {"LANG": "sv", "PYTHONUNBUFFERED": ""}) == {
        "LANG": "sv",
        "PYTHONUNBUFFERED": "",
    }


def test_what_the_site_sets_in_the_environment_travels() -> None:
    """As it is here, where somebody changed it; as the site has it otherwise; below what is named."""
    sites = {"MLM_LICENSE_FILE": "1@a", "OURS": "site", "NAMED": "site"}
    told = travelling({"OURS": "changed"}, {"NAMED": "mine"}, sites)
    assert told == {
        "MLM_LICENSE_FILE": "1@a",
        "OURS": "changed",
        "NAMED": "mine",
        "PYTHONUNBUFFERED": "1",
    }


def test_slurms_commands_get_what_they_need_alone() -> None:
    """Who and where one is, and the site's slurm.conf before the session's."""
    environ = {"PATH": "/p", "HOME": "/h", "USER": "ann", "SLURM_CONF": "/s", "LD_LIBRARY_PATH": "/l"}
    assert for_slurm(environ, None) == {"PATH": "/p", "HOME": "/h", "USER": "ann", "SLURM_CONF": "/s"}
    assert for_slurm({"USER": "ann"}, "/c") == {
        "USER": "ann",
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "SLURM_CONF": "/c",
    }


@pytest.mark.parametrize("name", _SECRETS)
def test_a_secret_travels_only_when_it_is_named(name: str) -> None:
    """By its name alone, or with a value; never to sbatch."""
    environ = {name: "canary", "LANG": "C.UTF-8"}
    assert "canary" not in travelling(environ).values()
    assert travelling(environ, [name])[name] == "canary"
    assert travelling({}, {name: "canary"})[name] == "canary"
    assert travelling(environ, name)[name] == "canary"
    assert "canary" not in for_slurm(environ, "/etc/slurm.conf").values()


@pytest.mark.parametrize(
    "wanted", [["NOT_SET"], {"": "x"}, {"A=B": "x"}, {"A": "\0"}, {"A\0": ""}, {"A": "\ud800"}]
)
def test_what_cannot_be_a_variable_is_refused(wanted: Any) -> None:
    """A job never begins with less than its owner named."""
    with pytest.raises(ValueError, match=r"^env: "):
        travelling({}, wanted)


class _Refuses:
    def __reduce__(self) -> Any:
        raise RuntimeError("first line\nsecond line")


def _many_things() -> dict[str, Any]:
    generator = (number for number in range(3))
    next(generator)
    with Path("/dev/null").open() as file:
        return {"lock": threading.Lock(), "generator": generator, "file": file, "odd": _Refuses()}


@pytest.mark.parametrize("name", ["lock", "generator", "file", "odd"])
def test_what_cannot_travel_is_named_in_one_sentence(name: str) -> None:
    """A person reads which of their variables stays, and why."""
    with pytest.raises(Stays) as told:
        packed(name, _many_things()[name])
    assert str(told.value).startswith(f"{name} cannot travel to the job: ")
    assert "\n" not in str(told.value)


def test_an_open_file_stays(tmp_path: Path) -> None:
    """It would come out as a text in memory on the other side, and what is written to it nowhere."""
    (tmp_path / "data").write_text("text")
    with (tmp_path / "data").open() as text, (tmp_path / "data").open("rb") as raw:
        for file in (text, raw):
            with pytest.raises(Stays, match=r"^data cannot travel there: an open file .* by its path\.$"):
                packed("data", file, "there")
    assert pickle.loads(packed("data", {"x": [1]})) == {"x": [1]}  # noqa: S301


def test_variables_that_can_travel_do_although_others_cannot() -> None:
    """Each is told apart."""
    found, sentences = packed_variables(["x", "lock"], {"x": 1, "lock": threading.Lock()})
    assert (list(found), len(sentences)) == (["x"], 1)


# -- wishes --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("hours", float("nan")),
        ("hours", float("inf")),
        ("hours", True),
        ("hours", 0),
        ("hours", -1),
        ("hours", 10**400),
        ("hours", "\uff14"),
        ("hours", "four"),
        ("hours", [1]),
        ("restarts", "3"),
        ("restarts", True),
        ("restarts", -1),
        ("restarts", 1001),
        ("restarts", 1.0),
        ("at_once", 0),
        ("at_once", 100_001),
        ("hours", 24 * 366 + 1),
        ("at_once", False),
        ("at_once", "\uff14"),
        ("name", "line\nbreak"),
        ("name", "esc\x1b[31m"),
        ("name", "two\u2028lines"),
        ("name", "a" * 61),
        ("name", 7),
        ("name", b"bytes"),
        ("slice", 7),
        ("slice", "a" * 61),
        ("resume", 1),
        ("key", "a" * 201),
        ("key", 7),
        ("nonsense", 1),
    ],
)
def test_an_odd_wish_is_refused_with_its_field(field: str, value: Any) -> None:
    """One sentence, that begins with the field."""
    with pytest.raises(BadWish) as told:
        wish(**{field: value})
    assert str(told.value).startswith(f"{field}: ")
    assert "\n" not in str(told.value)


@given(st.text(max_size=80))
def test_any_name_becomes_one_that_queues_can_show(name: str) -> None:
    """Letters that tables and shells leave alone, never empty, never an option."""
    shown = job_name(name)
    assert shown.isascii()
    assert shown.isprintable()
    assert shown[0].isalnum()
    assert len(shown) <= 60
    assert not set(shown) & set(" \"'$;&|%\\/`")


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("hours", [0.001, 1, 24 * 366]),
        ("restarts", [0, 1000]),
        ("at_once", [1, 100_000]),
        ("name", ["", "a" * 60, "ü & <b>'"]),
        ("slice", ["1g.10gb", "a" * 60]),
        ("resume", [True, False]),
        ("key", ["", "a" * 200]),
    ],
)
def test_what_is_possible_is_taken_as_it_is(field: str, values: list[Any]) -> None:
    """Up to the bounds, which are possible too."""
    assert [getattr(wish(**{field: value}), field) for value in values] == values
    assert getattr(wish(**{field: None}), field) == getattr(wish(), field)


@given(
    st.sampled_from(["slice", "hours", "name", "restarts", "at_once", "resume", "key"]),
    st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.lists(st.text()),
)
def test_any_value_is_a_wish_or_refused(field: str, value: Any) -> None:
    """Nothing else comes out, whatever goes in."""
    try:
        wanted = wish(**{field: value})
    except BadWish as refusal:
        assert str(refusal).startswith(f"{field}: ")  # noqa: PT017 - one or the other
    else:
        assert getattr(wanted, field) == (float(value) if field == "hours" else value)


# -- names and places ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        *("", "-1", "1", "1_[0-9999]", "1;cluster", "../x", "261122-aaaaaaaa/..", "261122-AAAAAAAA"),
        *("261122-aaaaaaaa\n", " 261122-aaaaaaaa", "261122-aaaaaaa\u0661", "\uff1261122-aaaaaaaa", "."),
        "261122-aaaaaaaa\0",
    ],
)
def test_only_the_id_of_a_run_becomes_a_path(text: str) -> None:
    """Numbers of jobs, lists of tasks, ways up and look-alikes name no run."""
    assert not is_run_id(text)
    with pytest.raises(ValueError, match="is no run's id"):
        RunDir.of(Path("/runs"), text)


@given(st.floats(0, 4e9))
def test_every_new_id_is_one(now: float) -> None:
    """And sorts by its day."""
    assert is_run_id(new_run_id(now))
    assert new_run_id(now) != new_run_id(now)
    assert new_run_id(now)[:6] == time.strftime("%y%m%d", time.gmtime(now))


def test_runs_are_kept_only_where_nobody_else_can_put_one(tmp_path: Path) -> None:
    """A result is unpickled, so a directory that others can write to is refused, with the cure."""
    assert own_place(tmp_path / "a" / "runs").stat().st_mode & 0o777 == 0o700
    shared = tmp_path / "shared"
    shared.mkdir()
    for mode in (0o777, 0o770, 0o702, 0o1777):
        shared.chmod(mode)
        with pytest.raises(NotYours, match=f"chmod go-w {shared}"):
            own_place(shared)
    shared.chmod(0o755)
    (tmp_path / "link").symlink_to(shared)
    assert own_place(tmp_path / "link") == tmp_path / "link"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs another account")
def test_runs_are_not_kept_in_a_directory_of_somebody_else(tmp_path: Path) -> None:
    """Its owner could put anything there."""
    os.chown(tmp_path, 65534, 65534)
    with pytest.raises(NotYours, match="somebody else"):
        own_place(tmp_path)


def test_a_site_and_a_person_say_where_runs_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """The person's word goes before the site's, and both may be below the home."""
    monkeypatch.setenv("HOME", "/home/ann")
    assert runs_dir({"USER": "ann"}) == Path("/home/ann/skiva-runs")
    assert runs_dir({"USER": "ann"}, "/scratch/{user}/runs") == Path("/scratch/ann/runs")
    assert runs_dir({"SKIVA_RUNS": "here"}, "/scratch/runs") == Path("/home/ann/here")
