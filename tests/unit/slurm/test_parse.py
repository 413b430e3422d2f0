"""What squeue and scontrol print, read back."""

import string
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from skiva_slurm.errors import Unreadable
from skiva_slurm.gres import Gres
from skiva_slurm.jobs import Array, Job, Node
from skiva_slurm.parse import JOB_QUERY, JobRows, job_format, parse_nodes
from skiva_slurm.states import Life
from skiva_slurm.tags import ClusterTag, RunTag

CORPUS = Path(__file__).parent / "corpus"
NONCE = "NONCEnonceNONCEnonce"
JOBS = (CORPUS / "jobs-22.05.txt").read_text()


def squeue(rows: list[dict[str, str]], nonce: str = NONCE) -> str:
    """What squeue prints for these jobs: each field with the ending that the query gives it."""
    fields = [item.partition(":")[::2] for item in job_format(nonce).split(",")]
    lines = ["".join(name.upper() + end for name, end in fields)]
    lines += ["".join(row.get(name, "N/A") + end for name, end in fields) for row in rows]
    return "\n".join(lines) + "\n"


def parse_jobs(text: str, nonce: str) -> dict[int, Job]:
    """The jobs in an answer that came at once."""
    rows = JobRows(nonce)
    rows.feed(text.encode())
    return rows.jobs()


def nodes(name: str) -> dict[str, Node]:
    return parse_nodes((CORPUS / f"nodes-{name}.txt").read_text())


def test_the_query_is_fixed_but_for_its_word() -> None:
    """Nothing but the word changes, and it is letters, which squeue cannot take for a width."""
    one, other = job_format("a" * 24), job_format("b" * 24)
    assert one.replace("a" * 24, "b" * 24) == other
    assert JOB_QUERY == ("--local", "--all", "--states=all", "--sort=i")
    for bad in ("", "short", "a" * 23 + "1", "a" * 23 + ",", "a" * 24 + "\n", "a" * 65):
        with pytest.raises(ValueError, match=r"^nonce:"):
            job_format(bad)


def test_a_real_answer_is_read() -> None:
    """Every job of a real queue is there, with its gres, times, exit status and reason."""
    jobs = parse_jobs(JOBS, NONCE)
    assert sorted(jobs) == [*range(15, 24), 26, 27, 28, *range(29, 40)]
    holder = jobs[31]
    assert holder.user == "root"
    assert holder.life is Life.RUNNING
    assert holder.nodes == ("n1",)
    assert holder.gres == (Gres("gpu", "h100", 1), Gres("gpu", "1g.10gb", 2))
    assert (holder.start, holder.end) == (1795295939.0, 1795297139.0)
    assert holder.tag == "skiva:hub1:alice/:0123456789abcdef"
    assert jobs[33].gres == (Gres("gpu", "", 2),)
    assert jobs[35].array == Array(35, "1-3%1")
    assert jobs[35].reason.startswith("Nodes required for job are DOWN")
    assert jobs[15].exit_code == "0:15"
    assert jobs[39].end is None
    assert jobs[36].start is None
    assert {number for number, job in jobs.items() if job.array} == {35}


def test_a_real_answer_with_arrays_is_read() -> None:
    """Ended and running tasks are jobs of their own, the rest waits in one row; a single job has no array."""
    jobs = parse_jobs((CORPUS / "jobs-22.05-arrays.txt").read_text(), NONCE)

    def tasks(run: str) -> dict[str, str]:
        mine = [job for job in jobs.values() if job.tag == RunTag(f"261122-{run}").text]
        assert {job.user for job in mine} == {"researcher1"}
        return {job.array.tasks if job.array else "": job.state for job in mine}

    assert tasks("aaaaaaa1") == {str(n): "FAILED" if n == 3 else "COMPLETED" for n in range(6)}
    sweep = tasks("aaaaaaa3")
    assert (sweep["2"], sweep["3"], sweep["11"]) == ("COMPLETED", "CANCELLED", "RUNNING")
    assert sweep["12-199%8"] == "PENDING"
    assert tasks("aaaaaaa4") == {"0": "RUNNING", "1": "RUNNING", "2-9": "PENDING"}
    assert tasks("aaaaaaa5") == {"7-199:2": "PENDING"}
    assert tasks("aaaaaaa2") == {"": "COMPLETED"}
    assert tasks("aaaaaaa6") == {"": "RUNNING"}
    assert tasks("aaaaaaa7") == {"0": "PENDING", "1": "RUNNING"}
    rest = next(job for job in jobs.values() if job.array == Array(job.id, "12-199%8"))
    assert (rest.reason, rest.array and rest.array.job_id) == ("JobArrayTaskLimit", rest.id)
    put_back = next(job for job in jobs.values() if job.restarts)
    assert (put_back.array, put_back.life) == (Array(15, "0"), Life.QUEUED)
    assert next(job for job in jobs.values() if job.state == "FAILED").exit_code == "7:0"
    assert [job.tag for job in jobs.values() if job.array and job.array.tasks == "0-20:4"] == [""]


def test_the_rest_of_an_array_that_was_cancelled_is_one_job_without_tasks() -> None:
    """Slurm does not tell any more which tasks it stood for: it has the array's number and the run's mark."""
    jobs = parse_jobs((CORPUS / "jobs-22.05-arrays-cancelled.txt").read_text(), NONCE)
    assert (jobs[10].state, jobs[10].array, jobs[10].tag) == ("CANCELLED", None, "skiva-run:261122-aaaaaaa3")
    assert (jobs[19].state, jobs[19].array) == ("CANCELLED", Array(10, "3"))
    assert (jobs[26].state, jobs[26].array) == ("CANCELLED", Array(15, "0"))


def test_a_real_answer_of_a_later_version_is_read() -> None:
    """24.11 tells of sessions, devices, arrays, ends and forgeries as 22.05 does."""
    jobs = parse_jobs((CORPUS / "jobs-24.11.txt").read_text(), NONCE)
    assert sorted(jobs) == list(range(1, 20))
    assert (jobs[1].tag, jobs[1].life) == ("skiva:skiva:researcher1/:428ca1bf6f126599", Life.RUNNING)
    assert (jobs[1].gres, jobs[1].nodes) == ((Gres("gpu", "1g.10gb", 1),), ("mig-83e8b7",))
    assert (jobs[1].start, jobs[1].end) == (1796084629.0, 1796088229.0)
    assert (jobs[3].user, jobs[3].gres) == ("root", (Gres("gpu", "h100", 2),))
    assert jobs[6].gres == (Gres("shard", "", 1),)
    array = {job.array.tasks: job.state for job in jobs.values() if job.array and job.array.job_id == 8}
    assert array == {"0": "COMPLETED", "1": "COMPLETED", "2": "COMPLETED", "3": "FAILED", "4": "RUNNING"}
    assert jobs[19].exit_code == "7:0"
    assert (jobs[9].array, jobs[9].reason) == (Array(9, "1-199%1"), "JobArrayTaskLimit")
    assert jobs[17].array == Array(9, "0")
    assert (jobs[10].state, jobs[10].exit_code, jobs[10].array) == ("CANCELLED", "0:15", None)
    assert (jobs[11].reason, jobs[11].start) == ("JobHeldUser", None)
    assert (jobs[12].tag, jobs[14].tag, 99 in jobs) == ("", "", False)


def test_a_forged_row_in_a_comment_is_only_a_comment() -> None:
    """The real queue held a job whose comment spells a row for job 99; there is no job 99."""
    jobs = parse_jobs(JOBS, NONCE)
    assert 99 not in jobs
    assert jobs[30].user == "root"
    assert jobs[30].tag == ""


def test_a_tag_counts_only_when_the_comment_is_nothing_else() -> None:
    """A tag with anything around it, or below a line break, is no tag."""
    tag = "skiva:hub1:alice/:0123456789abcdef"
    rows = [
        {"jobid": "1", "comment": tag},
        {"jobid": "2", "comment": f"x\n{tag}"},
        {"jobid": "3", "comment": f"{tag} "},
    ]
    assert [job.tag for job in parse_jobs(squeue(rows), NONCE).values()] == [tag, "", ""]


def test_the_mark_of_a_cluster_is_read() -> None:
    """Workers and schedulers of Dask clusters are ours too."""
    tag = ClusterTag("261122-k3f9ta2x", 2, 17).text
    assert parse_jobs(squeue([{"jobid": "1", "comment": tag}]), NONCE)[1].tag == tag


@given(numbers=st.lists(st.integers(0, 99_999), min_size=1, max_size=400), limit=st.sampled_from(["", "%7"]))
def test_a_long_list_of_tasks_is_cut_between_two(numbers: list[int], limit: str) -> None:
    """No task is made up by the cut, and whoever asks which tasks they are is told that it was cut."""
    listed = ",".join(map(str, numbers))
    row = {"jobid": "9", "arrayjobid": "9", "arraytaskid": f"{listed}{limit}"}
    array = parse_jobs(squeue([row]), NONCE)[9].array
    assert array is not None
    if len(listed) <= 1000:
        assert array.numbers() == tuple(numbers)
    else:
        kept = array.tasks.partition(",...")[0].split(",")
        assert list(map(int, kept)) == numbers[: len(kept)]
        assert (array.numbers(), array.count) == (None, len(kept))
    assert array.tasks.endswith(limit)


@given(
    comment=st.text(alphabet=string.printable + "\x1f\x00\u2028NONCE", max_size=200),
    forged=st.integers(100, 999),
    victim=st.sampled_from(["RUNNING", "COMPLETED"]),
)
def test_no_comment_forges_a_row(comment: str, forged: int, victim: str) -> None:
    """Whatever a comment holds, separators, line breaks and a guessed frame too, it stays a comment."""
    evil = f"{comment}\x1f{NONCE[:-1]}\n{forged}\x1f{NONCE[:-1]}\x1froot\x1f{victim}" + "\x1f" * 20 + "\n"
    rows = [{"jobid": "1", "state": "PENDING", "comment": evil}, {"jobid": "2", "state": "RUNNING"}]
    jobs = parse_jobs(squeue(rows), NONCE)
    assert sorted(jobs) == [1, 2]
    assert [jobs[1].state, jobs[2].state] == ["PENDING", "RUNNING"]


@given(cut=st.integers(0, len(JOBS) - 2))
def test_an_answer_that_is_cut_off_is_unreadable_or_ends_at_a_row(cut: int) -> None:
    """Wherever the connection breaks, no half row is taken for a job."""
    try:
        jobs = parse_jobs(JOBS[:cut], NONCE)
    except Unreadable:
        return
    whole = parse_jobs(JOBS, NONCE)
    assert all(whole[number] == job for number, job in jobs.items())
    assert JOBS[:cut].endswith(f"\x1f{NONCE}\n")


@example(at=828, letter="\n")
@given(at=st.integers(0, len(JOBS) - 1), letter=st.sampled_from("\x00X9\n\x1f"))
def test_a_garbled_answer_never_invents_a_job(at: int, letter: str) -> None:
    """One wrong letter makes the answer unreadable or spoils one field, and adds at most a wrong number."""
    try:
        jobs = parse_jobs(JOBS[:at] + letter + JOBS[at + 1 :], NONCE)
    except Unreadable:
        return
    assert len(jobs) <= len(parse_jobs(JOBS, NONCE))


@given(st.data())
def test_an_answer_is_the_same_in_whatever_pieces_it_comes(data: st.DataObject) -> None:
    """Also where a row, its ending or a letter of several bytes is cut in two."""
    text = JOBS + squeue([{"jobid": "7", "comment": "\N{SNOWMAN}" * 300}]).partition("\n")[2]
    whole = text.encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=30)))
    rows = JobRows(NONCE)
    for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True):
        rows.feed(whole[start:end])
    assert rows.jobs() == parse_jobs(text, NONCE)


def test_a_row_is_bounded_and_their_number_is_not() -> None:
    """However many jobs one person submits, the others are read; a row without an end is given up."""
    many = [{"jobid": str(number), "comment": "c" * 3000} for number in range(1, 8001)]
    assert len(parse_jobs(squeue(many), NONCE)) == 8000
    assert parse_jobs(squeue([{"jobid": "1", "nodelist": "n" * 60_000}]), NONCE).keys() == {1}
    rows = JobRows(NONCE)
    rows.feed(b"x" * 65536)
    with pytest.raises(Unreadable, match=r"^a row of squeue's answer is longer than 65536 bytes$"):
        rows.feed(b"x")


def test_a_row_that_is_as_before_is_not_read_again() -> None:
    """Thousands of held jobs cost others little with each reading; what has changed is read as strictly."""
    rows = [{"jobid": str(number), "state": "PENDING", "comment": "a\x1fb"} for number in (7, 8)]
    first = JobRows(NONCE)
    first.feed(squeue(rows).encode())
    rows[1]["state"] = "RUNNING"
    other = "OTHERotherOTHERother"
    again = JobRows(other, first.rows)
    again.feed(squeue(rows, other).encode())
    assert again.jobs()[7] is first.jobs()[7]
    assert again.jobs() == parse_jobs(squeue(rows), NONCE)
    assert again.jobs()[8].life is Life.RUNNING
    twice = JobRows(other, again.rows)
    with pytest.raises(Unreadable, match="twice"):
        twice.feed(squeue([*rows, rows[0]], other).encode())


def test_a_job_that_comes_twice_makes_an_answer_unreadable() -> None:
    """Slurm tells of each once: of two rows one would not be Slurm's."""
    with pytest.raises(Unreadable, match=r"^squeue's answer tells of job 7 twice$"):
        parse_jobs(squeue([{"jobid": "7"}, {"jobid": "8"}, {"jobid": "7"}]), NONCE)


_NO_ANSWER = "squeue's answer is empty or not in the form that was asked for"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", _NO_ANSWER),
        ("\n", _NO_ANSWER),
        ("slurm_load_jobs error", _NO_ANSWER),
        (JOBS.replace(NONCE, "other"), _NO_ANSWER),
        ("x" * 10**4, _NO_ANSWER),
        (JOBS.replace("JOBID", "JOB", 1), "squeue's answer does not begin with its heading"),
        (JOBS[:1000], "squeue's answer is cut off"),
        (JOBS + "1", "squeue's answer is cut off"),
        (JOBS.replace("\x1f", "", 1), "a row of squeue's answer is garbled"),
        (JOBS.replace(f"\x1f{NONCE}\x1f", f"\x1fx{NONCE}\x1f", 1), "a row of squeue's answer is garbled"),
    ],
)
def test_an_answer_that_is_not_whole_is_no_empty_queue(text: str, why: str) -> None:
    """Nothing, an error text, another query's answer or a part of one is refused, and it is said why."""
    with pytest.raises(Unreadable, match=f"^{why}$"):
        parse_jobs(text, NONCE)


def test_an_empty_queue_is_empty() -> None:
    """The heading alone means that there are no jobs."""
    assert parse_jobs(squeue([]), NONCE) == {}


def test_a_row_without_its_number_is_unreadable() -> None:
    """A row must begin with a job's number."""
    with pytest.raises(Unreadable, match=r"^a row of squeue's answer does not begin with a job's number$"):
        parse_jobs(squeue([{"jobid": "12x"}]), NONCE)


def test_the_fields_of_a_row_are_where_they_belong() -> None:
    """Each field that a site's own choices can fill is read from its place, and long ones are cut."""
    row = {
        "jobid": "7",
        "username": "ann",
        "state": "PENDING",
        "partition": "gpu",
        "tres-per-job": "gres:gpu:2",
        "submittime": "1795295900",
        "prioritylong": "18446744073709551615",
        "restartcnt": "2",
        "reason": "r" * 1001,
        "exit_code": "783",
    }
    job = parse_jobs(squeue([row]), NONCE)[7]
    assert (job.user, job.partition, job.gres) == ("ann", "gpu", (Gres("gpu", "", 2),))
    assert (job.submitted, job.priority, job.restarts) == (1795295900.0, 2**64 - 1, 2)
    assert (job.reason, job.exit_code) == ("r" * 1000, "3:15")


@pytest.mark.parametrize(
    ("told", "read"),
    [
        ("0", "0:0"),
        ("256", "1:0"),
        ("9", "0:9"),
        ("137", "0:9"),
        ("65280", "255:0"),
        ("1:2", "1:2"),
        ("x", ""),
    ],
)
def test_an_exit_status_is_a_code_and_a_signal(told: str, read: str) -> None:
    """Of wait(2)'s status the mark of a core dump is no part of the signal; Slurm's own form stays."""
    assert parse_jobs(squeue([{"jobid": "7", "exit_code": told}]), NONCE)[7].exit_code == read


@pytest.mark.parametrize("length", [999, 1000, 1001])
def test_a_list_of_tasks_is_cut_at_its_bound_and_keeps_its_limit(length: int) -> None:
    """A list of at most 1,000 letters is kept whole; of what should be a limit only a little is."""
    listed = ",".join(["1"] * 499 + ["1" * (length - 998)])
    assert len(listed) == length
    row = {"jobid": "9", "arrayjobid": "9", "arraytaskid": f"{listed}%{'7' * 3000}"}
    array = parse_jobs(squeue([row]), NONCE)[9].array
    assert array is not None
    kept = listed if length <= 1000 else listed.rpartition(",")[0] + ",..."
    assert array.tasks == f"{kept}%{'7' * 3000}"[: 2000 if length <= 1000 else len(kept) + 21]


def test_odd_fields_leave_the_others_alone() -> None:
    """A field in a form that we do not know is left empty; the job is still there."""
    row = {
        "jobid": "7",
        "state": "BRAND_NEW",
        "nodelist": "n[1-",
        "starttime": "2026-01-01T00:00:00",
        "restartcnt": "?",
        "exit_code": "3:0",
        "prioritylong": "x",
        "reason": "None",
    }
    job = parse_jobs(squeue([row]), NONCE)[7]
    assert job.life is Life.UNKNOWN
    assert (job.nodes, job.start, job.restarts, job.priority, job.reason) == ((), None, 0, 0, "")
    assert job.exit_code == "3:0"


def test_real_nodes_are_read() -> None:
    """The nodes of a real cluster with MIG instances, whole GPUs and shards in use."""
    node = nodes("22.05-busy")["n1"]
    assert node.address == "127.0.0.1"
    assert node.states == {"MIXED"}
    assert node.partitions == ("gpu", "all")
    assert node.gres == (Gres("gpu", "1g.10gb", 4), Gres("gpu", "h100", 2), Gres("shard", "h100", 8))
    assert Gres("gpu", "1g.10gb", 3) in node.gres_used
    assert node.gres_sharded == (Gres("gpu", "h100", 1),)
    assert (node.cores, node.cores_used, node.memory_mb, node.memory_used_mb) == (8, 3, 16000, 1500)


def test_states_and_reasons_of_real_nodes_are_read() -> None:
    """Reservations, drains and failures show; what an operator wrote cannot pass for a state."""
    lines = (CORPUS / "nodes-22.05-states.txt").read_text().splitlines()
    read = [next(iter(parse_nodes(f"{line}\n").values())) for line in lines]
    assert [node.usable for node in read] == [False, True, False, False, False, True]
    assert read[3].states == {"IDLE", "DRAIN"}
    assert read[3].reason.startswith("fan State=IDLE is broken")


def test_nodes_of_later_versions_are_read() -> None:
    """Reserved cores and memory, cloud nodes, shards by device, comments that imitate fields."""
    hopper = nodes("23.11")["gpu01"]
    assert hopper.address == "gpu01.example.org"
    assert (hopper.cores, hopper.memory_mb) == (62, 1031000 - 8192)
    assert hopper.usable
    mig = nodes("23.11")["mig01"]
    assert mig.gres == (Gres("gpu", "nvidia_a100_1g.10gb", 14), Gres("gpu", "nvidia_a100_3g.40gb", 4))
    shared = nodes("24.05")["share01"]
    assert shared.gres_used == (Gres("gpu", "h100", 1), Gres("shard", "h100", 8))
    assert shared.gres_sharded == (Gres("gpu", "h100", 2),)
    assert shared.states == {"MIXED"}
    assert nodes("24.05")["cloud01"].usable
    drained, down = nodes("25.05").values()
    assert not drained.usable
    assert drained.reason.startswith("gres/gpu count reported lower")
    assert down.states == {"DOWN", "NOT_RESPONDING"}


def test_real_nodes_of_a_later_version_are_read() -> None:
    """24.11 leaves out what is used where there is no gres, and tells of shards by device."""
    named = {name.partition("-")[0]: node for name, node in nodes("24.11").items()}
    mig, shared = named["mig"], named["shared"]
    assert (mig.gres, mig.gres_used) == ((Gres("gpu", "1g.10gb", 7),), (Gres("gpu", "1g.10gb", 3),))
    assert (mig.cores_used, mig.memory_used_mb, mig.partitions) == (3, 2248, ("slices", "lowprio"))
    assert (named["cpu"].gres, named["cpu"].gres_used) == ((), ())
    assert shared.gres == (Gres("gpu", "h100", 1), Gres("shard", "h100", 8))
    assert shared.states == {"IDLE", "DRAIN"}
    assert not shared.usable
    assert shared.reason.startswith("fan State=IDLE is broken")
    assert all(node.usable for name, node in named.items() if name != "shared")


def test_what_a_line_of_a_node_leaves_out_is_nothing() -> None:
    """Without an address a node has its name; what is reserved for the system is not memory for jobs."""
    told = "NodeName=n1 NodeAddr=N/A CPUTot=8 State=IDLE RealMemory=1000 MemSpecLimit=1500 Partitions=(null)"
    node = parse_nodes(f"{told} Gres=(null) Reason= x Reason=y\n")["n1"]
    assert (node.address, node.partitions, node.gres, node.gres_used) == ("n1", (), (), ())
    assert (node.cores, node.cores_used, node.memory_mb, node.memory_used_mb) == (8, 0, 0, 0)
    assert node.reason == "x Reason=y"
    long = parse_nodes(f"NodeName=n2 CPUTot=8 CPUEfctv=6 State=IDLE Partitions=a,,b Reason={'r' * 1001}\n")[
        "n2"
    ]
    assert (long.cores, long.partitions, long.reason) == (6, ("a", "b"), "r" * 1000)


def test_lines_that_go_on_with_a_remark_are_passed_over() -> None:
    """An operator's remark with a line break does not make the list unreadable."""
    text = (CORPUS / "nodes-22.05-busy.txt").read_text() + "second line of a remark\n"
    assert len(parse_nodes(text)) == 4


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "scontrol's list of nodes is empty, garbled or cut off"),
        ("\n", "scontrol's list of nodes is empty, garbled or cut off"),
        ("NodeName=n1 State=IDLE CPUTot=8", "scontrol's list of nodes is empty, garbled or cut off"),
        ("Slurm error\n", "scontrol's list of nodes is empty, garbled or cut off"),
        ("NodeName=n1\n", "a line of scontrol's list of nodes is garbled"),
        ("NodeName=n1 State=IDLE\n", "a line of scontrol's list of nodes is garbled"),
        ("NodeName=n1 CPUTot=8\n", "a line of scontrol's list of nodes is garbled"),
        ("NodeName= State=IDLE CPUTot=8\n", "a line of scontrol's list of nodes is garbled"),
    ],
)
def test_a_list_of_nodes_that_is_not_whole_is_unreadable(text: str, why: str) -> None:
    """Nothing, half a line and error texts are not taken for a cluster without nodes."""
    with pytest.raises(Unreadable, match=f"^{why}$"):
        parse_nodes(text)


def test_a_cluster_without_nodes_says_so() -> None:
    """Only Slurm's own words mean that there are no nodes."""
    assert parse_nodes("No nodes in the system\n") == {}
