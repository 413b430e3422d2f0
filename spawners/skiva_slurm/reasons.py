"""Why a job waits, or why it ended, in words for the person who waits."""

import re
from dataclasses import dataclass, replace

from skiva_slurm.tags import ClusterTag, RunTag

__all__ = ["Words", "explain", "purpose"]


@dataclass(frozen=True, slots=True)
class Words:
    """One of Slurm's reasons, for people."""

    sentence: str
    action: str = ""
    """What to do about it; empty where there is nothing to do but wait."""
    hopeless: bool = False
    """Waiting will not help: as it was asked for, this job cannot start."""


_ASK = "Ask the operators of this cluster."
_SMALLER = "Stop waiting and choose a smaller slice or fewer hours."
_OTHER = "Stop waiting and choose another slice."
_PASSED_ON = "Slurm says: "
_STOP_ONE = "Stop one of your sessions, or wait until it ends."
_AGAIN = "Start the session again."
_REPLACED = "The Dask cluster starts another in its place."
_CLUSTER_ACTIONS = (
    (_AGAIN, "Start the Dask cluster again."),
    (_STOP_ONE, "Ask for fewer workers, or wait until something else of yours ends."),
    ("Stop waiting and choose fewer.", "Close the Dask cluster and start it with fewer hours."),
    ("Stop waiting and choose", "Close the Dask cluster and start it with"),
    ("Choose another slice, or wait.", "Start the Dask cluster with another slice, or wait."),
    ("Choose fewer hours, or wait.", "Start the Dask cluster with fewer hours, or wait."),
    ("Choose fewer hours, or wait until hours come free.", "Ask for fewer workers or hours, or wait."),
    ("Wait until one of these sessions ends, or choose another slice.", "Wait, or choose another slice."),
    ("Choose a slice with more memory.", "Start the Dask cluster with a slice with more memory."),
)

_PLAIN: dict[str, Words] = {
    "": Words("Slurm has not looked at this session yet."),
    "None": Words("Slurm has not looked at this session yet."),
    "WaitingForScheduling": Words("Slurm has not looked at this session yet."),
    "SchedDefer": Words("Slurm is busy and starts it later."),
    "Priority": Words("Others are ahead of you in the queue."),
    "Resources": Words("You are next; all slices of this kind are in use."),
    "Prolog": Words("The node is being prepared for your session."),
    "Cleaning": Words("Slurm is cleaning up after the last run of this session."),
    "BeginTime": Words("It starts a little later, at the time that Slurm has set for it."),
    "FedJobLock": Words("Another cluster is deciding whether to take it."),
    "MaxPoweredUpNodes": Words("As many nodes as the site allows are switched on already."),
    "PowerNotAvail": Words("The site's power limit leaves no room for another session just now."),
    "PowerReserved": Words("The site's power is reserved for other work just now."),
    "MpiPortsBusy": Words("The network ports that it needs are in use."),
    "Licenses": Words("All licences that it needs are in use."),
    "BurstBufferResources": Words("The fast storage that it needs is in use."),
    "BurstBufferStageIn": Words("Its data is being copied to fast storage."),
    "BurstBufferOperation": Words("Preparing the fast storage failed.", _ASK, hopeless=True),
    "JobArrayTaskLimit": Words("As many tasks of this array run at once as you allowed."),
    "Dependency": Words("It waits for another job of yours to end."),
    "DependencyNeverSatisfied": Words(
        "It waits for another job that ended differently, so it will never start.", _AGAIN, hopeless=True
    ),
    "Reservation": Words("It starts when the reservation that it belongs to begins."),
    "ReservationDeleted": Words("The reservation of this slice was removed.", _OTHER, hopeless=True),
    "ReservationInvalid": Words("The reservation of this slice is over.", _OTHER, hopeless=True),
    "PartitionDown": Words("This part of the cluster is switched off at the moment.", _ASK),
    "PartitionInactive": Words("This part of the cluster starts no sessions at the moment.", _ASK),
    "PartitionConfig": Words("This part of the cluster does not take such sessions.", _OTHER, hopeless=True),
    "PartitionNodeLimit": Words(
        "This part of the cluster has no node that may take it now.", "Choose another slice, or wait."
    ),
    "PartitionTimeLimit": Words(
        "This part of the cluster does not allow so many hours.",
        "Stop waiting and choose fewer.",
        hopeless=True,
    ),
    "ReqNodeNotAvail": Words("The nodes with this slice are switched off, drained or reserved.", _ASK),
    "FrontEndDown": Words("The machine that starts jobs is not answering.", _ASK),
    "NodeDown": Words("A node that it needs has failed.", _ASK),
    "BadConstraints": Words("No node of this cluster can ever hold this slice.", _OTHER, hopeless=True),
    "Constraints": Words("No node of this cluster can ever hold this slice.", _OTHER, hopeless=True),
    "JobHeldUser": Words("You put this job on hold.", "Release it with `scontrol release`, or cancel it."),
    "JobHeldAdmin": Words("An operator has put this session on hold.", _ASK),
    "JobHoldMaxRequeue": Words(
        "It failed to start so often that Slurm put it on hold.",
        f"{_AGAIN} If it fails again: {_ASK}",
        hopeless=True,
    ),
    "InvalidAccount": Words("Slurm does not know the account of this session.", _ASK, hopeless=True),
    "AccountNotAllowed": Words(
        "Your account may not use this part of the cluster.", f"{_OTHER} For access: {_ASK}", hopeless=True
    ),
    "InvalidQOS": Words("Slurm does not know this quality of service.", _ASK, hopeless=True),
    "QOSNotAllowed": Words("You may not use this quality of service here.", _OTHER, hopeless=True),
    "QOSUsageThreshold": Words("You have used much lately, so others go first for a while."),
    "AccountingPolicy": Words("A limit of your account holds it back.", _STOP_ONE),
    "AssociationJobLimit": Words("You already have as many jobs as you may at once.", _STOP_ONE),
    "AssociationResourceLimit": Words("You already hold as much as you may at once.", _STOP_ONE),
    "AssociationTimeLimit": Words("You have used up the hours of your account.", _ASK),
    "QOSJobLimit": Words("You already have as many jobs as you may at once.", _STOP_ONE),
    "QOSResourceLimit": Words("You already hold as much as you may at once.", _STOP_ONE),
    "QOSTimeLimit": Words("You have used up the hours that you may use.", _ASK),
    "MaxMemPerLimit": Words("One session may not have so much memory.", _SMALLER, hopeless=True),
    # Ends.
    "TimeLimit": Words("Its time was up.", _AGAIN),
    "DeadLine": Words("It could not end before its deadline.", _AGAIN),
    "InactiveLimit": Words("It did nothing for longer than the site allows.", _AGAIN),
    "NonZeroExitCode": Words("It ended with an error.", "The last lines of its log say more."),
    "RaisedSignal": Words("It was killed by a signal.", "The last lines of its log say more."),
    "OutOfMemory": Words("It needed more memory than its slice has.", "Choose a slice with more memory."),
    "JobLaunchFailure": Words("The node could not start it.", f"{_AGAIN} If it fails again: {_ASK}"),
    "SystemFailure": Words("The cluster had a failure.", f"{_AGAIN} If it fails again: {_ASK}"),
    "BlockMaxError": Words("The node failed too often.", _ASK),
    "BlockFreeAction": Words("The node is being released."),
}

_PHRASES: tuple[tuple[str, str], ...] = (
    ("nodes required for job are down, drained or reserved", "ReqNodeNotAvail"),
    ("reqnodenotavail, reserved for maintenance", ""),
    ("launch failed requeued held", "JobHoldMaxRequeue"),
    ("job requeued in held state", "JobHeldAdmin"),
    ("job hold, repeatedly requeued", "JobHoldMaxRequeue"),
    ("job's account not permitted to use this partition", "AccountNotAllowed"),
    ("job's qos not permitted to use this partition", "QOSNotAllowed"),
    ("user's group not permitted to use this partition", "AccountNotAllowed"),
    ("partition limits of some account/group/qos", "PartitionConfig"),
)
"""Sentences that Slurm writes in place of a code, and the code that says the same."""

_DELETED = re.compile(r"reservation \S+ was deleted")

_MAINTENANCE = Words(
    "The nodes with this slice are reserved for maintenance soon.", "Choose fewer hours, or wait."
)

_LIMIT = re.compile(
    r"(?P<scope>Assoc|QOS|)(?P<kind>Grp|Max|Min)"
    r"(?P<what>SubmitJobs?|Jobs?|Cpu|CPU|Node|Memory|Mem|GRES|License|Energy|BB|Billing|Unknown|WallDuration|Wall)"
    r"(?P<budget>RunMinutes|RunMins|Minutes|Mins|)(?P<per>PerJob|PerNode|PerUser|PerAccount|NotSatisfied|)(Limit)?"
)
_THINGS = {
    "Cpu": "cores",
    "CPU": "cores",
    "Node": "nodes",
    "Mem": "memory",
    "Memory": "memory",
    "GRES": "slices",
    "License": "licences",
    "Energy": "energy",
    "BB": "fast storage",
    "Billing": "resources",
    "Unknown": "resources",
    "Job": "jobs",
    "Jobs": "jobs",
    "SubmitJob": "waiting and running jobs",
    "SubmitJobs": "waiting and running jobs",
    "Wall": "hours",
    "WallDuration": "hours",
}
_UNCOUNTED = frozenset({"memory", "energy", "fast storage"})


def purpose(tag: str, otherwise: str = "session") -> str:
    """What a job with this mark is to its owner: a `run`, a `worker` or `scheduler` of a Dask cluster."""
    if RunTag.parse(tag):
        return "run"
    if cluster := ClusterTag.parse(tag):
        return "worker" if cluster.batch else "scheduler"
    return otherwise


def explain(reason: str, waiting: str = "session") -> Words:
    """What one of Slurm's reasons means for the person who waits, for a session or for something else.

    What a `worker` or a `scheduler` waits for is told to the person whose Dask cluster it belongs to.
    Knows every reason code of Slurm 22.05 to 25.11 and the sentences that Slurm sometimes writes instead;
    anything else is passed on as Slurm's own words.
    """
    words = _explain(reason)
    if words.sentence.startswith(_PASSED_ON):
        return words
    action = words.action
    if waiting in {"worker", "scheduler"}:
        action = _of_a_cluster(words, waiting)
    return replace(
        words,
        sentence=words.sentence.replace("session", waiting),
        action=action.replace("session", waiting),
    )


def _of_a_cluster(words: Words, waiting: str) -> str:
    """What to do about it where the job is one of several, which nobody started one by one."""
    if waiting == "worker" and words.action.startswith(_AGAIN) and not words.hopeless:
        return words.action.replace(_AGAIN, _REPLACED)
    for told, instead in _CLUSTER_ACTIONS:
        if words.action.startswith(told):
            return words.action.replace(told, instead)
    return words.action


def _explain(reason: str) -> Words:
    text = (
        "".join(letter if letter.isprintable() else " " for letter in reason[:400])
        .strip()
        .strip("()")
        .strip()
    )
    flat = text.replace("_", " ").lower()
    if _DELETED.fullmatch(flat):
        return _PLAIN["ReservationDeleted"]
    for phrase, code in _PHRASES:
        if flat.startswith(phrase):
            return _PLAIN[code] if code else _MAINTENANCE
    code = re.split(r"[,:( ]", text)[0]
    if code in _PLAIN:
        return _PLAIN[code]
    if found := _LIMIT.fullmatch(code):
        return _limit(found)
    return Words(f"{_PASSED_ON}{text}")


def _limit(found: re.Match[str]) -> Words:
    """The words for a limit, put together from the parts of its name."""
    thing = _THINGS[found["what"]]
    many = "much" if thing in _UNCOUNTED else "many"
    if found["kind"] == "Min":
        few = "less" if thing in _UNCOUNTED else "fewer"
        return Words(f"It asks for {few} {thing} than is allowed.", _OTHER, hopeless=True)
    if found["per"] in {"PerJob", "PerNode"}:
        return Words(f"One session may not have so {many} {thing}.", _SMALLER, hopeless=True)
    who = _owner(found)
    if found["budget"] or found["what"] == "Wall":
        return Words(
            f"{who} {_verb(who, 'use')} up the hours that may be used.",
            f"Choose fewer hours, or wait until hours come free. For more: {_ASK}",
        )
    action = _STOP_ONE if who == "You" else "Wait until one of these sessions ends, or choose another slice."
    return Words(f"{who} already {_verb(who, 'hold')} as {many} {thing} as {_may(who)} at once.", action)


def _owner(found: re.Match[str]) -> str:
    if found["per"] == "PerUser" or (found["scope"] == "Assoc" and found["kind"] == "Max"):
        return "You"
    if found["per"] == "PerAccount" or found["scope"] == "Assoc":
        return "Your account"
    return "All users of this kind of session together"


def _verb(who: str, verb: str) -> str:
    if verb == "use":
        return "has used" if who == "Your account" else "have used"
    return "holds" if who == "Your account" else "hold"


def _may(who: str) -> str:
    return {"You": "you may", "Your account": "it may"}.get(who, "they may")
