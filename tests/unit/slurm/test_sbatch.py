"""The command line of sbatch."""

import re
import shlex
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import ValidationError

from skiva_slurm.sbatch import JobRequest, sbatch_options, script
from skiva_slurm.tags import RUN_ID, RunTag, Tag

PLAIN: dict[str, Any] = {
    "tag": "skiva:hub1:alice/:0123456789abcdef",
    "partition": "gpu",
    "gres": "gpu:1g.10gb:1",
    "cores": 2,
    "memory_mb": 4000,
    "minutes": 120,
    "output": "/home/alice/.local/state/skiva/servers/x/log",
    "chdir": "/home/alice",
    "command": ("/opt/skiva/base/bin/python", "-I", "-m", "skiva.session"),
}
# Every option in its place, and those that a site may leave out in brackets.
SHAPE = re.compile(
    r"--parsable --(?:no-)?requeue --job-name= --comment= --partition= (?:--gres= )?--nodes= --ntasks= "
    r"--cpus-per-task= --mem= --time= --output= --chdir= --signal= --open-mode= --export="
    r"(?: --account=)?(?: --qos=)?(?: --constraint=)?(?: --reservation=)?(?: --licenses=)?(?: --exclude=)?"
    r"(?: --array=)?"
)
names = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.:@+-]{0,63}", fullmatch=True)
paths = st.text(st.characters(codec="utf-8"), max_size=30).map("/".__add__)
requests: st.SearchStrategy[dict[str, Any]] = st.builds(
    dict,
    tag=(
        st.builds(
            Tag, st.just("hub1"), st.text(min_size=1, max_size=20), st.text(max_size=10), st.just("a" * 8)
        )
        | st.builds(RunTag, st.from_regex(RUN_ID, fullmatch=True))
    ).map(lambda tag: tag.text),
    partition=st.lists(names, min_size=1, max_size=3).map(",".join),
    gres=st.none() | st.from_regex(r"(gpu|shard):([a-z0-9][a-z0-9.]{0,9}:)?[1-9]", fullmatch=True),
    cores=st.integers(1, 4096),
    memory_mb=st.integers(1, 10**6),
    minutes=st.integers(1, 10**5),
    account=st.none() | names,
    qos=st.none() | names,
    extra_gres=st.lists(st.from_regex(r"[a-z]{1,8}:[1-9][0-9]{0,5}[KMGT]?", fullmatch=True), max_size=2),
    constraint=st.none()
    | st.builds(str.join, st.sampled_from("&|"), st.lists(names, min_size=1, max_size=3)),
    reservation=st.none() | names,
    licenses=st.none() | st.from_regex(r"[a-z]{1,9}(@[a-z]{1,9})?(:[1-9])?(,ansys)?", fullmatch=True),
    exclude=st.none() | st.from_regex(r"n[0-9]{1,3}(,gpu\[01-0[2-9],1[0-9]\])?", fullmatch=True),
    output=paths,
    chdir=paths,
    warn_seconds=st.integers(1, 65535),
    requeue=st.booleans(),
    tasks=st.none() | st.integers(1, 4_000_000),
    at_once=st.none() | st.integers(1, 4_000_000),
    command=st.tuples(st.from_regex(r"/[A-Za-z0-9_./+-]{1,40}", fullmatch=True), st.text("a'\"$;\n ")),
)


@given(requests)
def test_the_command_line_has_a_fixed_shape(fields: dict[str, Any]) -> None:
    """Every accepted request is the same options in the same order, one argument each, on one line."""
    try:
        request = JobRequest(**fields)
    except ValidationError as error:
        refused = {problem["loc"][0] for problem in error.errors()}
        assume(not refused <= {"output", "chdir"})
        raise
    argv = sbatch_options(request)
    assert SHAPE.fullmatch(" ".join(re.sub("=.*", "=", argument, flags=re.DOTALL) for argument in argv))
    assert all(argument.isprintable() for argument in argv)


def test_what_sbatch_is_told_is_word_for_word_what_was_asked_for() -> None:
    """Every option with its value, once with all that a site may leave out and once without."""
    optional = {"account": "chem", "qos": "short", "constraint": "ib&a100", "reservation": "course"}
    optional |= {"licenses": "matlab:1,ansys@server:2", "exclude": "gpu[01-03],n7"}
    more = {"name": "fit", "requeue": True, "tasks": 3, "partition": "gpu,gpu2", "extra_gres": ["tmpdisk:9G"]}
    full = JobRequest(**{**PLAIN, **optional, **more})
    assert sbatch_options(full) == [
        "--parsable",
        "--requeue",
        "--job-name=fit",
        "--comment=skiva:hub1:alice/:0123456789abcdef",
        "--partition=gpu,gpu2",
        "--gres=gpu:1g.10gb:1,tmpdisk:9G",
        "--nodes=1",
        "--ntasks=1",
        "--cpus-per-task=2",
        "--mem=4000M",
        "--time=120",
        "--output=/home/alice/.local/state/skiva/servers/x/log",
        "--chdir=/home/alice",
        "--signal=B:USR1@120",
        "--open-mode=append",
        "--export=ALL",
        "--account=chem",
        "--qos=short",
        "--constraint=ib&a100",
        "--reservation=course",
        "--licenses=matlab:1,ansys@server:2",
        "--exclude=gpu[01-03],n7",
        "--array=0-2",
    ]
    plain = sbatch_options(JobRequest(**{**PLAIN, "gres": None}))
    assert plain[:3] == ["--parsable", "--no-requeue", "--job-name=skiva"]
    assert len(plain) == len(sbatch_options(full)) - 8


@given(requests, requests)
def test_the_script_depends_on_nothing_but_the_command(one: dict[str, Any], other: dict[str, Any]) -> None:
    """Whatever else differs, the same environment has the same script of three lines."""
    for fields in (one, other):
        fields |= {"output": "/log", "chdir": "/", "command": PLAIN["command"]}
    scripts = {script(JobRequest(**fields)) for fields in (one, other)}
    assert scripts == {"#!/bin/sh\ntrap '' USR1\nexec /opt/skiva/base/bin/python -I -m skiva.session\n"}


EVIL = [
    "a\n",
    "a\r",
    "\na",
    "a\x00b",
    "a\u2028b",
    "a\x85b",
    "-x",
    "--wrap=id",
    "a b",
    "a,b",
    "$(id)",
    "`id`",
    "a;b",
    "",
    "\uff14",
]
# What Slurm itself takes of these as several names.
SEVERAL = {
    ("partition", "a,b"),
    ("licenses", "a,b"),
    ("exclude", "a,b"),
    ("exclude", "a" * 65),
    ("constraint", "a|b"),
    ("constraint", "a&b"),
}
EVIL += ["a=b --uid=0", "a" * 65, "../x", "a|b", "a&b", "*", "'", '"', "\\"]


@pytest.mark.parametrize(
    "field",
    [
        *("partition", "account", "qos", "constraint", "reservation", "licenses", "exclude"),
        *("name", "gres", "tag"),
    ],
)
@pytest.mark.parametrize("value", EVIL)
def test_nothing_but_plain_names_gets_into_a_name(field: str, value: str) -> None:
    """Line breaks, other scripts, spaces, dashes and shell letters are refused with the field's name."""
    if (field, value) in SEVERAL:
        assert getattr(JobRequest(**{**PLAIN, field: value}), field) == value
        return
    with pytest.raises(ValidationError) as caught:
        JobRequest(**{**PLAIN, field: value})
    assert caught.value.errors()[0]["loc"] == (field,)


@pytest.mark.parametrize("field", ["output", "chdir"])
@pytest.mark.parametrize(
    "value", ["", "log", "../log", "/a\nb", "/a\rb", "/a\x00", "/a\u2028", "/a\\b", "-/a", "/" + "a" * 2000]
)
def test_a_path_is_absolute_and_on_one_line(field: str, value: str) -> None:
    """A path cannot be relative, break the line, or switch off Slurm's reading of it."""
    with pytest.raises(ValidationError) as caught:
        JobRequest(**{**PLAIN, field: value})
    assert [(error["loc"], error["msg"]) for error in caught.value.errors()] == [
        (
            (field,),
            "Value error, must be an absolute path without line breaks, control characters and backslashes",
        )
    ]


@pytest.mark.parametrize("field", ["output", "chdir"])
def test_a_path_may_have_a_thousand_letters(field: str) -> None:
    """A path of 1,024 letters is taken, one of 1,025 is not."""
    longest = "/" + "a" * 1023
    assert getattr(JobRequest(**{**PLAIN, field: longest}), field) == longest
    with pytest.raises(ValidationError):
        JobRequest(**{**PLAIN, field: f"{longest}a"})


@given(st.lists(st.text(st.characters(exclude_characters="\0", codec="utf-8")), max_size=4))
def test_a_word_of_the_command_reaches_the_program_as_it_is(words: list[str]) -> None:
    """Spaces, quotes, line breaks and shell letters in a launcher's arguments mean themselves."""
    text = script(JobRequest(**{**PLAIN, "command": ("env", *words)}))
    assert shlex.split(text.partition("exec ")[2]) == ["env", *words]


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ((), "Tuple should have at least 1 item after validation, not 0"),
        *(
            (words, "Value error, must begin with a program: letters, digits and / _ . + - only")
            for words in [("",), ("a b",), ("$(id)",), ("-x",), ("a\nb",)]
        ),
        (("env", "a\0b"), "Value error, must have no NUL"),
    ],
)
def test_a_command_begins_with_a_program(command: tuple[str, ...], why: str) -> None:
    """What the job runs is named plainly, and no word of it has a NUL."""
    with pytest.raises(ValidationError) as caught:
        JobRequest(**{**PLAIN, "command": command})
    assert [(error["loc"], error["msg"]) for error in caught.value.errors()] == [(("command",), why)]


def test_a_tag_that_is_none_of_ours_is_refused() -> None:
    """What could not be found again in the queue is not submitted."""
    with pytest.raises(
        ValidationError, match=r"Value error, must be a tag of a session, a run or a cluster, such"
    ):
        JobRequest(**{**PLAIN, "tag": "lunch"})
    for tag in ("skiva-run:261122-k3f9ta2x", "skiva-cluster:261122-k3f9ta2x:1:0"):
        assert JobRequest(**{**PLAIN, "tag": tag}).tag == tag


@pytest.mark.parametrize("field", ["cores", "memory_mb", "minutes", "warn_seconds", "tasks", "at_once"])
@pytest.mark.parametrize(
    "value", [0, -1, 10**12, True, 1.5, float("nan"), "2", "0x10", "\uff14", [1], None, "UNLIMITED"]
)
def test_numbers_are_whole_and_bounded(field: str, value: object) -> None:
    """Zero (Slurm's word for a whole node's memory), floats, booleans and texts are refused."""
    if value is None and field in {"tasks", "at_once"}:
        return  # one job, or as many at once as Slurm likes
    with pytest.raises(ValidationError) as caught:
        JobRequest(**{**PLAIN, field: value})
    assert caught.value.errors()[0]["loc"] == (field,)


def test_an_unknown_field_is_refused() -> None:
    """There is no free text for options, and no way to add any."""
    with pytest.raises(ValidationError):
        JobRequest(**{**PLAIN, "options": "--uid=0"})


def test_percent_signs_of_a_path_are_letters() -> None:
    """A home directory with a % in its name does not send the log elsewhere."""
    request = JobRequest(**{**PLAIN, "output": "/home/50%j/log"})
    assert "--output=/home/50%%j/log" in sbatch_options(request)


@pytest.mark.parametrize(("minutes", "warn"), [(120, 120), (4, 120), (3, 90), (1, 30)])
def test_the_warning_comes_late_enough_to_mean_something(minutes: int, warn: int) -> None:
    """In a short session the warning waits for half of it to be over."""
    assert f"--signal=B:USR1@{warn}" in sbatch_options(JobRequest(**{**PLAIN, "minutes": minutes}))


@pytest.mark.parametrize(
    ("tasks", "at_once", "option"),
    [(None, 4, None), (1, None, "--array=0-0"), (200, None, "--array=0-199"), (200, 8, "--array=0-199%8")],
)
def test_tasks_are_one_array(tasks: int | None, at_once: int | None, option: str | None) -> None:
    """However many tasks, one submission; how many run at once is its own limit."""
    argv = sbatch_options(JobRequest(**{**PLAIN, "tasks": tasks, "at_once": at_once}))
    assert [word for word in argv if word.startswith("--array")] == ([option] if option else [])


def test_only_an_arrays_last_part_has_a_tasks_number() -> None:
    """Each task has a log of its own; any other percent sign of the path stays a letter."""

    def output(path: str, tasks: int | None) -> str:
        argv = sbatch_options(JobRequest(**{**PLAIN, "output": path, "tasks": tasks}))
        return next(word for word in argv if word.startswith("--output"))

    assert output("/home/50%j/tasks/%a.log", 3) == "--output=/home/50%%j/tasks/%a.log"
    assert output("/home/50%j/tasks/%a.log", None) == "--output=/home/50%%j/tasks/%%a.log"
    assert output("/home/%a.log/log", 3) == "--output=/home/%%a.log/log"
