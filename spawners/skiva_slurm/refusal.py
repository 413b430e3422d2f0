"""What Slurm's commands answered: a number, a refusal, or nothing to rely on. Pure."""

import re

from skiva_slurm.errors import Refused, SlurmUnanswered

__all__ = ["check_versions", "complaint", "last_words", "parse_job_id", "refusal", "submitted"]

_MAX_TEXT = 65536
_JOB_ID = re.compile(r"([1-9][0-9]{0,9})(;[A-Za-z0-9_.-]{1,64})?")
_NOISE = re.compile(
    r"(?:(?:sbatch|squeue|scontrol|scancel|srun): )?(?:(?:error|fatal): )?"
    r"(?:Batch job submission failed: |slurm_load_[a-z]+ error: |Kill job error on job id [0-9]+: )?"
)
_SAYS_NO = re.compile(
    r"sbatch: (?:(?:error|fatal): )?(?:Batch job submission failed: |Invalid |unrecognized )"
)
# The request may have arrived all the same.
_UNSURE = re.compile(
    r"unable to contact|timed out|zero bytes|authentication|munge|communication|connection|transport"
    r"|message (?:send|receive)|socket|controller|unspecified|temporarily unavailable|unexpected message"
    r"|protocol version|in standby",
    re.IGNORECASE,
)
# slurmctld looks at a request's version before anything else, so nothing came of the request.
_TOO_FAR_APART = re.compile(
    r"incompatible versions of client and server|invalid protocol version", re.IGNORECASE
)
_VERSIONS = (
    "The Slurm commands here and the cluster's Slurm are too far apart in version to talk to each other: "
    "choose another environment, and ask the operators to give this one the nodes' own commands "
    "(client in [cluster])."
)
# What Slurm itself says before it says why.
_SLURMS = re.compile(
    r"invalid partition specified: .*|[A-Z][A-Za-z]*(?:Limit|PerUser|PerAccount|PerJob|Minutes)[A-Za-z]*"
    r"|.* specification can ?not be satisfied|.*(?:exceeds|violates) .*limit.*"
)
_HOURS = re.compile(r"[A-Z][A-Za-z]*(?:Minutes|Mins|Wall)[A-Za-z]*")
_USED_UP = (
    "This is more hours than you, your account or this slice have left: choose fewer, or ask the operators "
    "for more."
)
_SENTENCES = {
    "Invalid account or account/partition combination specified": (
        "Your account may not use this slice: choose another one, or ask the operators for access."
    ),
    "Invalid partition name specified": "This slice's part of the cluster is gone: choose another slice.",
    "User's group not permitted to use this partition": (
        "You are not in a group that may use this slice: choose another one."
    ),
    "Invalid qos specification": "You may not use this slice's quality of service: choose another slice.",
    "Invalid generic resource (gres) specification": (
        "This cluster no longer has such a device: choose another slice."
    ),
    "Invalid feature specification": "No node has what this slice asks for: choose another slice.",
    "Requested node configuration is not available": (
        "No node has so many devices, cores and so much memory: choose a smaller slice."
    ),
    "Requested time limit is invalid (missing or exceeds some limit)": (
        "This slice is not given for so many hours: choose fewer."
    ),
    "Requested partition configuration not available now": (
        "This slice's part of the cluster takes no such jobs now: choose another slice, or try later."
    ),
    "Requested reservation is invalid": "The reservation of this slice does not exist or is over.",
    "Access denied to requested reservation": "The reservation of this slice is not open to you.",
    "Job violates accounting/QOS policy": (
        "This is more than you may have in the queue: end one of your sessions or runs, or choose less."
    ),
}


def submitted(returncode: int, stdout: str, stderr: str) -> int:
    """The number of the job that `sbatch --parsable` has put in the queue.

    Raises:
        Refused: Slurm said no. Slurm may keep a trace of such a job, failed and with its tag.
        SlurmUnanswered: it is not known whether the job is there; its tag will tell.
    """
    if returncode == 0:
        if job_id := parse_job_id(stdout):
            return job_id
        raise SlurmUnanswered("sbatch did not say which number the job has")
    check_versions(stderr)
    words = last_words(stderr)
    by_plugin = words == "Unspecified error" and bool(_own_words(stderr))
    if _SAYS_NO.search(stderr[:_MAX_TEXT]) and (by_plugin or not _UNSURE.search(words)):
        raise Refused(refusal(stderr))
    raise SlurmUnanswered(complaint(returncode, stderr))


def check_versions(stderr: str) -> None:
    """See that a command could talk to slurmctld at all; some end with 0 all the same.

    Raises:
        Refused: it could not, so nothing was done, and nothing will be when it is tried again.
    """
    if _TOO_FAR_APART.search(stderr[-_MAX_TEXT:]):
        raise Refused(_VERSIONS)


def complaint(returncode: int, stderr: str) -> str:
    """Why a command has no answer of Slurm's to tell, in one sentence."""
    if _TOO_FAR_APART.search(stderr[-_MAX_TEXT:]):
        return _VERSIONS
    return f"Slurm is not answering: {last_words(stderr) or f'exit status {returncode}'}"


def parse_job_id(stdout: str) -> int | None:
    """The job's number from `sbatch --parsable` (`123` or `123;cluster`), None where there is none."""
    lines = [line.strip() for line in stdout[-4096:].split("\n") if line.strip()]
    found = _JOB_ID.fullmatch(lines[-1]) if lines else None
    return int(found[1]) if found else None


def refusal(stderr: str) -> str:
    """One plain sentence from what sbatch wrote when it refused, ending with Slurm's own words.

    What a site's submit plugin has to say comes in place of a general sentence.
    """
    words = last_words(stderr)
    if not words:
        return "Slurm refused the job and did not say why."
    if hours := next((word for word in _before_failure(stderr) if _HOURS.fullmatch(word)), ""):
        return f"{_USED_UP} (Slurm: {hours})"
    if own := _own_words(stderr):
        return f"{own} (Slurm: {words})"
    known = next((sentence for phrase, sentence in _SENTENCES.items() if words.startswith(phrase)), None)
    return f"{known} (Slurm: {words})" if known else f"Slurm refused the job: {words}"


def last_words(stderr: str) -> str:
    """The last line in which a Slurm command complains, without its name, fit to be shown; or empty."""
    lines = [line.strip() for line in stderr[-_MAX_TEXT:].splitlines() if line.strip()]
    complaints = [line for line in lines if "error" in line or "fatal" in line or "unrecognized" in line]
    return _plain((complaints or lines or [""])[-1])


def _own_words(stderr: str) -> str:
    """A site's submit plugin's words."""
    words = _before_failure(stderr)
    return " ".join(word for word in words if not _UNSURE.search(word) and not _SLURMS.fullmatch(word))[:600]


def _before_failure(stderr: str) -> list[str]:
    """What stands before the line that says that the submission failed."""
    lines = [line.strip() for line in stderr[:_MAX_TEXT].splitlines() if line.strip()]
    failed = next((at for at, line in enumerate(lines) if "Batch job submission failed:" in line), 0)
    return [_plain(line) for line in lines[:failed] if line.startswith("sbatch: error: ")]


def _plain(line: str) -> str:
    words = _NOISE.sub("", line, count=1)
    return "".join(letter if letter.isprintable() else " " for letter in words)[:400].strip()
