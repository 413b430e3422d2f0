"""Does Slurm let through what the site file allows for Dask clusters? Pure."""

from collections.abc import Iterator

from skiva_hub.doctor.facts import Facts
from skiva_hub.doctor.finding import Finding, Group, listed, warning
from skiva_hub.site import Site, Slice
from skiva_hub.slurm_values import hours, whole
from skiva_slurm.gres import parse_gres

_G = Group.SLICES
_MAX_ARRAY_SIZE = 1001
"""Slurm's own, where slurm.conf sets none."""


def check(site: Site, facts: Facts) -> Iterator[Finding]:
    """Every check of what workers need."""
    yield from arrays(site, facts)
    yield from times(site, facts)
    yield from budgets(site)


def arrays(site: Site, facts: Facts) -> Iterator[Finding]:
    """Workers that are asked for together are one job array."""
    said, most = facts.said("MaxArraySize"), site.dask.most_jobs
    largest = 0 if said == "0" else whole(said) or _MAX_ARRAY_SIZE
    if largest == 0:
        yield warning(
            _G,
            "Slurm takes no job arrays (MaxArraySize is 0), so there are no Dask clusters and no sweeps.",
            f"Set MaxArraySize={_MAX_ARRAY_SIZE} or more in slurm.conf.",
        )
    elif largest < most:
        yield warning(
            _G,
            f"A person may have {most} workers' jobs (most_jobs in [dask]), but Slurm takes at most "
            f"{largest} in one array (MaxArraySize): asking for more at once fails.",
            f"Set MaxArraySize={most} or more in slurm.conf, or write most_jobs = {largest}.",
        )


def times(site: Site, facts: Facts) -> Iterator[Finding]:
    """A worker on each slice may last as long as is asked for by default."""
    for partition in site.partition:
        limit = hours(facts.partitions.get(partition.name, {}).get("MaxTime", ""))
        if limit is None or limit >= site.dask.hours:
            continue
        slices = [picked.id for picked in site.slice if partition.name in picked.partitions]
        if slices:
            yield warning(
                _G,
                f"Workers of Dask clusters ask for {site.dask.hours:g} hours, partition {partition.name} "
                f"allows {limit:g}: on {listed(slices)} none starts unless people ask for fewer.",
                f"Write hours = {limit:g} or less in [dask], or raise the partition's MaxTime in Slurm.",
            )


def budgets(site: Site) -> Iterator[Finding]:
    """One worker on each slice is within what a person may ask for."""
    for picked in site.slice:
        needed = _devices(picked) * site.dask.hours
        if needed > site.dask.most_slice_hours:
            yield warning(
                _G,
                f"One worker on {picked.id} is {needed:g} slice-hours, a person may ask for "
                f"{site.dask.most_slice_hours:g} (most_slice_hours in [dask]).",
                f"Write most_slice_hours = {needed:g} or more in [dask], or fewer hours.",
            )


def _devices(picked: Slice) -> int:
    """The GPUs of a slice, or 1, as they are counted against the limit."""
    return max([g.count for g in parse_gres(picked.gres or "") if g.name == "gpu"], default=1)
