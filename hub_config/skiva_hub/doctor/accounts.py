"""Accounts, QOS and reservations that slices name, and what Slurm shows to whom. Pure."""

from collections.abc import Iterator

from skiva_hub.doctor.facts import Facts
from skiva_hub.doctor.finding import Finding, Group, error, ok, warning
from skiva_hub.site import Site

_G = Group.ACCOUNTS


def check(site: Site, facts: Facts) -> Iterator[Finding]:
    """Every check of accounting and privacy."""
    yield from names(site, facts)
    yield from reservations(site, facts)
    yield from stored(facts)
    yield from privacy(facts)


def names(site: Site, facts: Facts) -> Iterator[Finding]:
    """Accounts and QOS that slices name exist."""
    accounting = "slurmdbd" in facts.said("AccountingStorageType")
    for what, known in (("account", facts.accounts), ("qos", facts.qos)):
        wanted = [(s.id, getattr(s, what)) for s in site.slice if getattr(s, what)]
        if not wanted:
            continue
        if not accounting:
            sentence = f"Slices name a Slurm {what}, but this Slurm keeps no accounts, so it means nothing."
            yield warning(_G, sentence, f"Remove {what} from the slices, or set up slurmdbd.")
        elif known is None:
            sentence = f"sacctmgr does not answer, so nobody can say whether the {what} of each slice exists."
            yield warning(_G, sentence, "Run the doctor where sacctmgr works.")
        else:
            for slice_id, name in wanted:
                if name.lower() not in {k.lower() for k in known}:
                    sentence = f"Slice {slice_id} names the {what} {name}, which Slurm does not have."
                    yield error(_G, sentence, f"Correct it, or run: sacctmgr add {what} {name}")


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


def privacy(facts: Facts) -> Iterator[Finding]:
    """What people, and the hub, may see of each other's jobs."""
    private = set(facts.flags("PrivateData"))
    if private & {"jobs", "all"}:
        yield warning(
            _G,
            "PrivateData hides jobs: the hub's account must be an operator, or it sees none of its sessions.",
            "Run: sacctmgr modify user skiva-hub set AdminLevel=Operator",
        )
    if private & {"nodes", "partitions"}:
        yield warning(
            _G,
            "PrivateData hides nodes or partitions: the hub sees nothing unless it is an operator.",
            "Run: sacctmgr modify user skiva-hub set AdminLevel=Operator",
        )
    if not private & {"jobs", "all"}:
        yield ok(
            _G,
            "Everybody on the cluster can see whose sessions run where.",
            "Set PrivateData=jobs,usage if that is not wanted.",
        )
