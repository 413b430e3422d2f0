"""What a person asks of a cluster, and the cluster that it becomes."""

import os
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skiva.dask import wish as wish_module
from skiva.dask.spec import ClusterSpec
from skiva.dask.wish import cluster_wish, default_lifetime, lacks, spec_of
from skiva.runs.wish import BadWish
from skiva_slurm.offer import DaskOffer, EnvironmentOffer, Offer, SliceOffer

_ANY = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=70) | st.lists(st.integers())
)
_OPTIONS = (
    "name",
    "slice",
    "workers",
    "minimum",
    "maximum",
    "hours",
    "lifetime",
    "processes",
    "cuda",
    "detached",
)


def piece(name: str, gres: str | None = None, cores: int = 4) -> SliceOffer:
    """A slice."""
    return SliceOffer(id=name, title=name, partition="p", gres=gres, cores=cores, memory_mb=4096)


OFFER = Offer(
    hub="h",
    bin="/usr/bin",
    max_hours=72,
    dask=DaskOffer(hours=4, max_hours=24),
    slices=(
        piece("1g.10gb", "gpu:1g.10gb:1"),
        piece("2xh100", "gpu:h100:2"),
        piece("cpu"),
        piece("s", "shard:1"),
    ),
    environment=EnvironmentOffer(id="base", title="Base", launch={"python": "/opt/base/bin/python"}),
)


def spec(taken: tuple[str, ...] = (), **options: Any) -> ClusterSpec:
    """The cluster that these options make here."""
    return spec_of(
        cluster_wish(**options),
        OFFER,
        id="261122-k3f9ta2x",
        now=1000.0,
        python="/home/ann/env/bin/python",
        cwd="/home/ann",
        taken=taken,
    )


@given(st.dictionaries(st.sampled_from(_OPTIONS), _ANY))
def test_any_wish_is_a_cluster_or_a_sentence_that_names_its_field(options: dict[str, Any]) -> None:
    """Whatever is given, either a whole cluster comes of it or one sentence that begins with a field."""
    made, problem = None, ""
    try:
        made = spec(**options)
    except BadWish as refusal:
        problem = str(refusal)
    if made is None:
        assert problem.split(":")[0] in _OPTIONS
        assert "\n" not in problem
    else:
        assert 0 < made.lifetime < made.minutes * 60
        assert made.workers >= 0
        assert ClusterSpec.model_validate_json(made.model_dump_json()) == made


def test_without_a_wish_there_is_one_job_without_a_gpu() -> None:
    """The first slice without a GPU, the site's usual hours, one worker, the kernel's own Python."""
    made = spec()
    assert (made.slice.id, made.workers, made.processes, made.cuda, made.hours) == ("cpu", 1, 1, False, 4)
    assert made.environment.launch["python"] == "/home/ann/env/bin/python"
    assert made.name == "cpu"


def test_a_slice_with_gpus_has_one_cuda_worker_for_each() -> None:
    """Two devices a job are two workers; one job's are what there is by default."""
    made = spec(slice="2xh100")
    assert (made.cuda, made.processes, made.workers) == (True, 2, 2)
    plain = spec(slice="2xh100", cuda=False, processes=4)
    assert (plain.cuda, plain.processes, plain.workers) == (False, 4, 4)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"slice": "2xh100", "processes": 3}, "processes: .* one worker for each GPU, 2 a job"),
        ({"slice": "s", "cuda": True}, "cuda: .* no GPU of its own"),
        ({"processes": 5}, "processes: .* at most 4"),
        ({"slice": "tpu"}, "slice: 'tpu' is not among"),
        ({"hours": 25}, "hours: at most 24 .* not 25"),
        ({"hours": True}, "hours: must be a number of hours"),
        ({"lifetime": "4h"}, "lifetime: must be less than the 14400 seconds"),
        ({"lifetime": "soon"}, "lifetime: must be a number of seconds"),
        ({"minimum": 2}, "maximum: must be there too"),
        ({"minimum": 3, "maximum": 2}, "maximum: must be at least the minimum, 3"),
        ({"maximum": 4, "workers": 5}, "workers: must be from 0 to 4"),
        ({"workers": 1.5}, "workers: must be a whole number"),
        ({"name": "a\nb"}, "name: must be a text"),
        ({"name": "261122-k3f9ta2x"}, "name: .* not look like a cluster's id"),
        ({"speed": 3}, "speed: there is no such option"),
    ],
)
def test_what_cannot_be_is_refused_with_its_field(options: dict[str, Any], words: str) -> None:
    """Each wrong option has one sentence that says what it must be."""
    with pytest.raises(BadWish, match=f"^{words}"):
        spec(**options)


@pytest.mark.parametrize(
    ("text", "seconds"), [("55m", 3300), ("1h30m", 5400), ("90 s", 90), ("0.5 hours", 1800), ("1H 1m", 3660)]
)
def test_a_lifetime_is_told_as_people_write_it(text: str, seconds: float) -> None:
    """As Dask's own options have it."""
    assert spec(lifetime=text).lifetime == seconds


@given(st.integers(1, 24 * 60 * 31))
def test_workers_are_replaced_early_enough_and_not_too_early(minutes: int) -> None:
    """There is always time to hand over, from 30 seconds to ten minutes, and never less than half is used."""
    margin = minutes * 60 - default_lifetime(minutes)
    assert 30 <= margin <= 600
    assert margin <= minutes * 30


def test_adapting_begins_with_the_minimum() -> None:
    """A maximum alone means from none; workers may say another beginning."""
    assert (spec(maximum=8).workers, spec(maximum=8).minimum) == (0, 0)
    assert spec(minimum=2, maximum=8).workers == 2
    assert spec(minimum=2, maximum=8, workers=5).workers == 5


def test_names_are_those_of_one_living_cluster_each() -> None:
    """Without a wish the slice's, with a number where that is taken; a taken one is refused."""
    assert spec(taken=("cpu", "cpu-2")).name == "cpu-3"
    assert spec(name="night", taken=("cpu",)).name == "night"
    with pytest.raises(BadWish, match=r"^name: .*skiva.cluster\('night'\) attaches"):
        spec(name="night", taken=("night",))


def test_a_scheduler_of_its_own_lasts_as_long_as_the_site_allows() -> None:
    """Its workers are replaced meanwhile; an attached one has no job."""
    assert spec(detached=True).scheduler_hours == 24
    assert spec().scheduler_hours == 0


def test_a_python_that_no_launcher_could_be_given_is_refused() -> None:
    """A path with a blank would not mean the same everywhere."""
    with pytest.raises(BadWish, match=r"^environment: python"):
        spec_of(cluster_wish(), OFFER, id="261122-k3f9ta2x", now=0, python="/a b/python", cwd="/")


def test_an_environment_without_dask_cuda_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """In words, with the way out; one without Dask at all says that first."""
    found = {"distributed", "dask_jobqueue", "cryptography", "bokeh"}
    monkeypatch.setattr(wish_module, "find_spec", lambda name: name if name in found else None)
    assert lacks(False) == ""
    assert "no dask-cuda: install skiva[dask-cuda]" in lacks(True)
    assert "cuda=False" in lacks(True)
    found.add("dask_cuda")
    assert "no cuda-bindings" in lacks(True)
    found.remove("dask_jobqueue")
    assert lacks(True).startswith("This environment has no dask-jobqueue: install skiva[dask]")
    assert os.linesep not in lacks(True)


_WORKERS = "must be a whole number from 0 to 10000"
_HOURS = "must be a number of hours above 0 and of at most a year, such as 4 or 0.5"
_SECONDS = "must be a number of seconds above 0, or a text such as '55m' or '1h30m'"


@pytest.mark.parametrize(
    ("name", "right", "wrong", "needs"),
    [
        ("name", ["a", "x" * 60, "\u00e4 \u2603"], ["x" * 61, "a\x7fb", "a\u2028b", 7], None),
        ("slice", ["", "x" * 60], ["x" * 61, 7], "must be the id of a slice, such as '1g.10gb'"),
        ("workers", [0, 10_000], [-1, 10_001, 1.0, "1", True], _WORKERS),
        ("hours", [0.001, 24 * 366], [0, -1, 24 * 366 + 0.1, float("inf"), float("nan")], _HOURS),
        ("lifetime", [0.001, 1e9], [0, -1, float("inf"), float("nan"), True], _SECONDS),
        ("processes", [1, 64], [0, 65, 1.5], "must be a whole number from 1 to 64"),
        ("cuda", [True, False], [1, "yes"], "must be True or False"),
        ("detached", [True, False], [1, "yes"], "must be True or False"),
    ],
)
def test_each_option_is_taken_to_its_bounds(
    name: str, right: list[Any], wrong: list[Any], needs: str | None
) -> None:
    """The first and the last that may be, and what is beyond them, which is told what it must be."""
    for value in right:
        assert getattr(cluster_wish(**{name: value}), name) == value
    told = needs or "must be a text of 1 to 60 characters without line breaks"
    for value in wrong:
        with pytest.raises(BadWish) as refused:
            cluster_wish(**{name: value})
        assert str(refused.value) == f"{name}: {told}", value


@pytest.mark.parametrize("name", ["minimum", "maximum"])
def test_a_cluster_adapts_between_bounds_that_can_be(name: str) -> None:
    """As many as a cluster may have at all; a maximum of none would be no cluster."""
    least = 0 if name == "minimum" else 1
    for value in (least, 10_000):
        assert getattr(cluster_wish(**{"minimum": least, "maximum": 10_000, name: value}), name) == value
    wrong: tuple[float, ...] = (least - 1, 10_001, 1.0)
    for number in wrong:
        with pytest.raises(BadWish, match=f"^{name}: must be a whole number from {least} to 10000$"):
            cluster_wish(**{"maximum": 10_000, name: number})
    assert cluster_wish(minimum=3, maximum=3, workers=3).workers == 3
    for workers in (2, 5):
        with pytest.raises(BadWish, match=r"^workers: must be from 3 to 4, between which it adapts$"):
            cluster_wish(minimum=3, maximum=4, workers=workers)


@pytest.mark.parametrize(
    "text", ["", " ", "0m", "5", "m", "5x", "1h 2", "-1h", "1h-30m", "1.h", "soon 1h", "1h soon"]
)
def test_what_is_no_span_of_time_is_none(text: str) -> None:
    """None at all, one without a unit, one of nothing, and more than that."""
    with pytest.raises(BadWish, match=r"^lifetime: must be a number of seconds above 0, or a text"):
        cluster_wish(lifetime=text)


def test_spans_of_time_have_four_units() -> None:
    """Days, hours, minutes and seconds, in whole words too."""
    assert cluster_wish(lifetime="2 days").lifetime == 172_800
    assert cluster_wish(lifetime=" 1d2h3m4.5s ").lifetime == 86_400 + 7_200 + 180 + 4.5
    assert cluster_wish(lifetime="1 hour 30 minutes").lifetime == 5_400


@pytest.mark.parametrize("name", [" a", "a ", "\u00a0a"])
def test_a_name_has_no_blank_at_its_ends(name: str) -> None:
    """Nobody would find it again."""
    with pytest.raises(BadWish, match=r"^name: must begin and end with a letter or a sign"):
        cluster_wish(name=name)


@pytest.mark.parametrize(
    ("minutes", "seconds"),
    [(1, 30), (2, 60), (3, 120), (10, 540), (11, 594), (60, 3240), (100, 5400), (101, 5460), (1440, 85_800)],
)
def test_when_workers_are_replaced_where_nobody_says(minutes: int, seconds: float) -> None:
    """Half of a short job, else a tenth before its end: a minute at least, ten at most."""
    assert default_lifetime(minutes) == seconds


def test_what_a_wish_leads_to_is_written_down_whole() -> None:
    """Of the site, of the wish, and of who asks; each in its place."""
    made = spec(slice="cpu", workers=3, hours=0.5, lifetime=600, processes=2, detached=True, name="night")
    assert (made.id, made.created, made.hub, made.bin, made.conf) == (
        *("261122-k3f9ta2x", 1000.0, "h", "/usr/bin", None),
    )
    assert (made.slice, made.dask, made.cwd, made.sys_path) == (OFFER.slices[2], OFFER.dask, "/home/ann", ())
    assert (made.workers, made.processes, made.hours, made.lifetime) == (3, 2, 0.5, 600)
    assert (made.minimum, made.maximum, made.cuda, made.detached) == (None, None, False, True)
    assert (made.name, made.minutes, made.threads, made.slices_per_job) == ("night", 30, 2, 1)
    assert made.memory == (4096 - 300) * (1 << 20) // 2
    assert spec(slice="2xh100").slices_per_job == 2
    assert spec(slice="s").slices_per_job == 1
    assert spec(hours=0.001).minutes == 1
    assert (spec(maximum=4).minimum, spec(maximum=4).maximum) == (0, 4)


def test_as_many_workers_as_cores_fit_into_a_job() -> None:
    """And no more; with GPUs as many as there are, also where that is said."""
    assert spec(processes=4).processes == 4
    assert spec(slice="2xh100", processes=2).processes == 2
    assert spec(hours=24).hours == 24
    with pytest.raises(BadWish, match=r"^lifetime: must be less than the 3600 seconds"):
        spec(hours=1, lifetime=3600)
    assert spec(hours=1, lifetime=3599).lifetime == 3599


def test_a_cluster_takes_along_what_its_jobs_must_know() -> None:
    """Where Slurm's settings are, the site's limits, where modules are found; and nothing that is not set."""
    offer = OFFER.model_copy(update={"conf": "/etc/site/slurm.conf"})
    made = spec_of(
        cluster_wish(slice="1g.10gb"),
        offer,
        id="261122-k3f9ta2x",
        now=0,
        python="/p",
        cwd="/",
        sys_path=("/a", "/b"),
    )
    assert (made.conf, made.dask, made.sys_path) == ("/etc/site/slurm.conf", OFFER.dask, ("/a", "/b"))
    assert made.cuda
    assert None not in made.environment.launch.values()
