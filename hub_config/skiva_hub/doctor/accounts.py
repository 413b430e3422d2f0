"""What Slurm's accounting allows whom: accounts, QOS, limits, operators, and what is shown to whom. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from skiva_hub.doctor.facts import Facts
from skiva_hub.doctor.finding import Finding, Group, error, listed, ok, warning
from skiva_hub.site import Site, Slice

_G = Group.ACCOUNTS


def check(site: Site, facts: Facts, account: str, person: str | None) -> Iterator[Finding]:
    """Every check of accounting and privacy.

    Args:
        account: the hub's.
        person: the one who probes.
    """
    yield from names(site, facts)
    yield from rights(site, facts, person)
    yield from reservations(site, facts)
    yield from submissions(facts, person)
    yield from operators(site, facts)
    yield from stored(facts)
    yield from privacy(facts, account)


class _Wish(NamedTuple):
    """What jobs name to Slurm's accounting."""

    who: str
    partition: str
    account: str | None
    qos: str | None


def _wishes(site: Site, slices: Iterable[Slice]) -> Iterator[_Wish]:
    batch = site.batch
    for picked in slices:
        for partition in picked.partitions:
            yield _Wish(f"Slice {picked.id}", partition, picked.account, picked.qos)
            if batch.account or batch.qos:
                account, qos = batch.account or picked.account, batch.qos or picked.qos
                yield _Wish("[batch]", partition, account, qos)


def names(site: Site, facts: Facts) -> Iterator[Finding]:
    """Accounts and QOS that the site file names exist."""
    for what, known in (("account", facts.accounts), ("qos", facts.qos)):
        wanted = [(w.who, getattr(w, what)) for w in _wishes(site, site.slice) if getattr(w, what)]
        if not wanted:
            continue
        if not facts.accounting:
            sentence = f"Slices name a Slurm {what}, but this Slurm keeps no accounts, so it means nothing."
            yield warning(_G, sentence, f"Remove {what} from the slices, or set up slurmdbd.")
        elif known is None:
            sentence = f"sacctmgr does not answer, so nobody can say whether the {what} of each slice exists."
            yield warning(_G, sentence, "Run the doctor where sacctmgr works.")
        else:
            for who, name in dict.fromkeys(wanted):
                if name.lower() not in {k.lower() for k in known}:
                    sentence = f"{who} names the {what} {name}, which Slurm does not have."
                    yield error(_G, sentence, f"Correct it, or run: sacctmgr add {what} {name}")


def rights(site: Site, facts: Facts, person: str | None) -> Iterator[Finding]:
    """The person who probes may use the accounts and QOS of the slices that are open to them."""
    if person is None or facts.associations is None or "associations" not in facts.enforced:
        return
    other = "or name somebody else with --user"
    if not facts.associations:
        if facts.would_see(person):
            sentence = f"{person} has no association in Slurm, which takes no job of theirs."
            yield error(_G, sentence, f"Run: sacctmgr add user {person} account=…; {other}.")
        return
    user = (facts.users or {}).get(person)
    default = user.default_account if user else ""
    lacks: dict[str, list[str]] = {}
    for wish in _wishes(site, site.slices_for(person, frozenset())):
        account = (wish.account or default).lower()
        mine = [
            a
            for a in facts.associations
            if a.account.lower() == account and a.partition in {"", wish.partition}
        ]
        if not mine and account:
            cure = f"sacctmgr add user {person} account={account}"
            lacks.setdefault(f"the account {account}|{cure}", []).append(wish.who)
        elif wish.qos and "qos" in facts.enforced and not any(wish.qos.lower() in a.qos for a in mine):
            cure = f"sacctmgr modify user {person} where account={account} set qos+={wish.qos}"
            lacks.setdefault(f"the QOS {wish.qos}|{cure}", []).append(wish.who)
    for lack, wishes in lacks.items():
        what, _, cure = lack.partition("|")
        sentence = f"{person} may not use {what}: {listed(dict.fromkeys(wishes))}."
        yield error(_G, sentence, f"Run: {cure}; keep the slice for others by users or groups; {other}.")


def submissions(facts: Facts, person: str | None) -> Iterator[Finding]:
    """One person cannot fill Slurm's queue, which everybody then waits for."""
    if {"throttle", "job_submit/throttle"} & {*facts.flags("JobSubmitPlugins")}:
        return
    most = facts.config.get("maxjobcount") or "10000"
    sentence = f"Nothing limits how many jobs one person may submit; all together may have {most}"
    cure = "sacctmgr modify qos normal set MaxSubmitJobsPerUser=1000"
    if "limits" not in facts.enforced:
        cure = f"Set up slurmdbd with AccountingStorageEnforce=limits, then run: {cure}"
        yield warning(_G, f"{sentence} (MaxJobCount).", cure)
    elif facts.qos is None:
        yield warning(
            _G, "Whether Slurm limits submissions per person cannot be seen.", "See that sacctmgr answers."
        )
    elif unlimited := _unlimited(facts, facts.qos, person):
        yield warning(_G, f"{sentence} (MaxJobCount): {unlimited} has no MaxSubmitJobs.", f"Run: {cure}")


def _unlimited(facts: Facts, qos: Mapping[str, int | None], person: str | None) -> str:
    """By what a person may submit as many jobs as they like; empty where there is a limit everywhere."""
    own = [partition.get("QoS", "") for partition in facts.partitions.values()]
    if own and all(qos.get(name) is not None for name in own):
        return ""
    if facts.associations:
        unlimited = [
            a.account
            for a in facts.associations
            if a.most_submitted is None and not (a.qos and all(qos.get(name) is not None for name in a.qos))
        ]
        return f"{person} by {listed(dict.fromkeys(unlimited))}" if unlimited else ""
    unlimited = [name for name, most in qos.items() if most is None]
    return f"QOS {listed(unlimited)}" if unlimited else ""


def reservations(site: Site, facts: Facts) -> Iterator[Finding]:
    """Reservations that slices name exist now; one for a course may come later."""
    for picked in site.slice:
        if picked.reservation and picked.reservation not in facts.reservations:
            yield warning(
                _G,
                f"Slice {picked.id} names the reservation {picked.reservation}, which is not there now.",
                f"scontrol create reservation ReservationName={picked.reservation} …, or remove it.",
            )


def stored(facts: Facts) -> Iterator[Finding]:
    """What Slurm's database keeps of each job."""
    flags = facts.flags("AccountingStoreFlags")
    if "job_env" in flags:
        yield warning(
            _G,
            "Slurm's database keeps every job's environment (job_env), with any secret that people export.",
            "Remove job_env from AccountingStoreFlags; sessions themselves carry no secret there.",
        )
    if "job_script" in flags:
        yield ok(_G, "Slurm's database keeps every job's script; sessions have none but a constant one.")


def operators(site: Site, facts: Facts) -> Iterator[Finding]:
    """The account that extends sessions may do so in Slurm."""
    name = site.hours.extend_as
    if not site.hours.extend_by or not name or facts.is_operator(name):
        return
    if facts.is_operator(name) is None:
        sentence = f"Whether {name} (extend_as in [hours]) is a Slurm operator cannot be seen."
        yield warning(_G, sentence, "Run the doctor as root.")
    else:
        sentence = f"{name} (extend_as in [hours]) is no Slurm operator, so nobody can extend a session."
        yield error(_G, sentence, _make_operator(facts, name, "name SlurmUser in extend_as"))


def privacy(facts: Facts, account: str) -> Iterator[Finding]:
    """What people, and the hub, may see of each other's jobs."""
    private = set(facts.flags("PrivateData"))
    hidden = [what for what in ("jobs", "nodes", "partitions") if private & {what, "all"}]
    if hidden:
        sentence = f"PrivateData hides {' and '.join(hidden)}"
        may_see = facts.is_operator(account)
        if may_see:
            yield ok(_G, f"{sentence}; {account} sees them, as an operator.")
        elif may_see is None:
            sentence += f", and whether {account} is an operator cannot be seen: else it sees no session"
            yield warning(_G, f"{sentence}.", "Run the doctor as root or as the hub's account.")
        else:
            sentence += f", and {account} is no operator: it sees none of its sessions"
            otherwise = f"take {' and '.join(hidden)} out of PrivateData"
            yield error(_G, f"{sentence}.", _make_operator(facts, account, otherwise))
    if not private & {"jobs", "all"}:
        yield ok(
            _G,
            "Everybody on the cluster can see whose sessions run where.",
            "Set PrivateData=jobs,usage if that is not wanted.",
        )


def _make_operator(facts: Facts, account: str, otherwise: str) -> str:
    """The command that makes an account an operator; one that Slurm has not is added, with an association."""
    if not facts.accounting:
        return f"Slurm has operators with slurmdbd alone: set it up, or {otherwise}."
    if facts.users is not None and account in facts.users:
        return f"Run: sacctmgr modify user where name={account} set AdminLevel=Operator"
    return f"Run: sacctmgr add user {account} account=root AdminLevel=Operator"
