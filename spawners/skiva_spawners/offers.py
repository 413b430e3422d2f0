"""From the site to what it offers one person for runs and Dask clusters. Pure."""

from collections.abc import Mapping

from skiva_hub.launches import launch
from skiva_hub.permitted import Permitted
from skiva_hub.site import Environment, Slice
from skiva_slurm.offer import DaskOffer, EnvironmentOffer, Offer, SliceOffer

__all__ = ["offer"]


def offer(
    allowed: Permitted,
    user: str,
    groups: frozenset[str],
    environment: Environment,
    defaults: Mapping[str, str],
    account: str | None = None,
) -> Offer:
    """What `user`, a member of the hub's `groups`, may hand to the queue from a session in `environment`.

    Args:
        defaults: a migrated site's settings for what a slice leaves open.
        account: the Slurm account that pays for the session, and where it can, for what is started from it.

    The environment's digest is for the session to fill in, which knows what it runs in.
    """
    site = allowed.site
    cluster, batch = site.cluster, site.batch
    return Offer(
        hub=site.hub.id,
        bin=str(cluster.bin),
        conf=str(cluster.conf) if cluster.conf else None,
        devices=cluster.devices,
        always_open=cluster.always_open,
        fenced=cluster.fenced,
        max_hours=batch.max_hours,
        hours=batch.hours,
        most=batch.most,
        runs=batch.runs,
        dask=DaskOffer.model_validate(site.dask.model_dump()),
        slices=tuple(_slice(allowed, picked, defaults, account) for picked in site.slices_for(user, groups)),
        environment=EnvironmentOffer(
            id=environment.id,
            title=environment.title,
            launch=launch(site, environment).model_dump(mode="json"),
            variables=environment.variables,
        ),
    )


def _slice(allowed: Permitted, picked: Slice, defaults: Mapping[str, str], account: str | None) -> SliceOffer:
    batch, pays = allowed.site.batch, allowed.account(picked, account)
    return SliceOffer(
        id=picked.id,
        title=picked.title,
        partition=picked.partition,
        gres=picked.gres,
        extra_gres=picked.extra_gres,
        cores=picked.cores,
        memory_mb=picked.memory_mb,
        account=batch.account or picked.account or defaults.get("account") or pays,
        qos=batch.qos or picked.qos or defaults.get("qos"),
        constraint=picked.constraint or defaults.get("constraint"),
        reservation=picked.reservation or defaults.get("reservation"),
        licenses=picked.licenses or defaults.get("licenses"),
        exclude=picked.exclude or defaults.get("exclude"),
        isolation=picked.isolation,
        simulated=picked.simulated,
        devices_wanted=picked.devices_wanted,
    )
