"""What sbatch answers."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skiva_slurm.errors import Refused, SlurmUnanswered
from skiva_slurm.refusal import check_versions, complaint, last_words, parse_job_id, refusal, submitted

CORPUS = Path(__file__).parent / "corpus"
ANSWERS = [line.split("\t") for line in (CORPUS / "sbatch.txt").read_text().splitlines()]


@pytest.mark.parametrize(("kind", "stderr", "words"), ANSWERS)
def test_a_no_is_told_from_silence(kind: str, stderr: str, words: str) -> None:
    """Slurm's refusals become one sentence with its words; whatever may have lost an answer stays unknown."""
    error = Refused if kind == "refused" else SlurmUnanswered
    with pytest.raises(error) as caught:
        submitted(1, "", stderr.replace("\\n", "\n"))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_submit_plugins_no_is_a_no() -> None:
    """Its error has no number of its own: with words before it that is a refusal, without them nothing."""
    failed = "sbatch: error: Batch job submission failed: Unspecified error\n"
    with pytest.raises(Refused, match=r"^No GPU without a project\. \(Slurm: Unspecified error\)$"):
        submitted(1, "", f"sbatch: error: No GPU without a project.\n{failed}")
    for lost in ("", "sbatch: error: Unable to contact slurm controller (connect failure)\n"):
        with pytest.raises(SlurmUnanswered):
            submitted(1, "", lost + failed)


def test_versions_too_far_apart_are_a_no_whatever_the_command_ended_with() -> None:
    """scancel ends with 0 then; the sentence says what to do, and other complaints are passed over."""
    apart = ANSWERS[-1][1].replace("\\n", "\n").replace("sbatch", "scancel")
    with pytest.raises(Refused, match=r"^The Slurm commands here .*: choose another environment, and ask"):
        check_versions(apart)
    assert complaint(1, apart).startswith("The Slurm commands here")
    check_versions("scancel: error: Kill job error on job id 1: Unspecified error\n")
    assert complaint(1, "squeue: error: Unspecified error") == "Slurm is not answering: Unspecified error"
    assert complaint(3, "") == "Slurm is not answering: exit status 3"


@pytest.mark.parametrize(
    ("stdout", "number"),
    [("123\n", 123), ("123;cluster\n", 123), ("A note from the site\n42\n", 42), ("7", 7)],
)
def test_the_number_of_the_job_is_found(stdout: str, number: int) -> None:
    """Plain, with a cluster's name, and below a site's own message."""
    assert submitted(0, stdout, "") == number


@pytest.mark.parametrize(
    "stdout", ["", "\n", "0\n", "-1\n", "Submitted batch job 5\n", "12345678901\n", "\uff15\n", "5;a b\n"]
)
def test_success_without_a_number_is_no_answer(stdout: str) -> None:
    """A job may be there: it is to be looked for by its tag."""
    assert parse_job_id(stdout) is None
    with pytest.raises(SlurmUnanswered, match=r"^sbatch did not say which number the job has$"):
        submitted(0, stdout, "")


@pytest.mark.parametrize(
    ("stderr", "sentence"),
    [
        ("", "Slurm refused the job and did not say why."),
        (
            "sbatch: error: Batch job submission failed: Invalid qos specification",
            (
                "You may not use this slice's quality of service: choose another slice. "
                "(Slurm: Invalid qos specification)"
            ),
        ),
        ("sbatch: error: Invalid moon phase\n", "Slurm refused the job: Invalid moon phase"),
        (
            (
                "sbatch: error: Please name your project with --account (see https://hpc.example/projects)\n"
                "sbatch: error: Batch job submission failed: Invalid account or "
                "account/partition combination specified\n"
            ),
            (
                "Please name your project with --account (see https://hpc.example/projects) "
                "(Slurm: Invalid account or account/partition combination specified)"
            ),
        ),
        (
            (
                "sbatch: error: invalid partition specified: nowhere\n"
                "sbatch: error: Batch job submission failed: Invalid partition name specified\n"
            ),
            (
                "This slice's part of the cluster is gone: choose another slice. "
                "(Slurm: Invalid partition name specified)"
            ),
        ),
        (
            (
                "sbatch: error: QOSMaxSubmitJobPerUserLimit\n"
                "sbatch: error: Batch job submission failed: Job violates accounting/QOS policy\n"
            ),
            (
                "This is more than you may have in the queue: end one of your sessions or runs, or choose "
                "less. (Slurm: Job violates accounting/QOS policy)"
            ),
        ),
        *(
            (
                (
                    f"sbatch: error: {limit}\nsbatch: error: Batch job submission failed: Job violates "
                    "accounting/QOS policy (job submit limit, user's size and/or time limits)\n"
                ),
                (
                    "This is more hours than you, your account or this slice have left: choose fewer, or ask "
                    f"the operators for more. (Slurm: {limit})"
                ),
            )
            for limit in ("QOSGrpGRESMinutes", "QOSMaxCpuMinutesPerJobLimit", "QOSGrpWallLimit")
        ),
        (
            (
                "sbatch: error: No GPU without a project.\nsbatch: error: Ask helpdesk\x1b[31m@hpc.example.\n"
                "sbatch: error: Batch job submission failed: Unspecified error\n"
            ),
            "No GPU without a project. Ask helpdesk [31m@hpc.example. (Slurm: Unspecified error)",
        ),
    ],
)
def test_a_refusal_is_one_sentence_with_slurms_words(stderr: str, sentence: str) -> None:
    """What helps comes first where it is known; Slurm's own words are never lost."""
    assert refusal(stderr) == sentence


@pytest.mark.parametrize(
    ("stderr", "words"),
    [
        ("", ""),
        ("\n \n", ""),
        ("a site's greeting\n", "a site's greeting"),
        ("squeue: error: first\nsqueue: error: second\nbye\n", "second"),
        ("sbatch: fatal: no way\nbye\n", "no way"),
        ("sbatch: unrecognized option '--x'\nTry --help\n", "unrecognized option '--x'"),
        ("slurm_load_jobs error: Socket timed out\n", "Socket timed out"),
        ("error: sbatch: error: twice", "sbatch: error: twice"),
        ("odd\x07letters", "odd letters"),
        ("x" * 500, "x" * 400),
    ],
)
def test_the_last_complaint_is_what_slurm_says(stderr: str, words: str) -> None:
    """The last line that complains, without the command's name; else the last line at all."""
    assert last_words(stderr) == words


@given(st.text(max_size=2000))
def test_any_complaint_becomes_one_printable_line(stderr: str) -> None:
    """Control characters and floods never reach a page or a log."""
    for text in (refusal(stderr), last_words(stderr)):
        assert text.isprintable()
        assert len(text) <= 700
