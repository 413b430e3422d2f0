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
