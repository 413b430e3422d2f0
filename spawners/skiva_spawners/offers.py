"""From the site to what it offers one person for runs and Dask clusters. Pure."""

from collections.abc import Mapping

from skiva_hub.launches import launch
from skiva_hub.site import Environment, Site, Slice
from skiva_slurm.offer import DaskOffer, EnvironmentOffer, Offer, SliceOffer

__all__ = ["offer"]


def offer(
    site: Site, user: str, groups: frozenset[str], environment: Environment, defaults: Mapping[str, str]
) -> Offer:
    """What `user`, a member of the hub's `groups`, may hand to the queue from a session in `environment`.

    `defaults` are a migrated site's settings for what a slice leaves open. The environment's digest is for
    the session to fill in, which knows what it runs in.
    """
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
        slices=tuple(_slice(site, picked, defaults) for picked in site.slices_for(user, groups)),
        environment=EnvironmentOffer(
            id=environment.id,
            title=environment.title,
            launch=launch(site, environment).model_dump(mode="json"),
        ),
    )


def _slice(site: Site, picked: Slice, defaults: Mapping[str, str]) -> SliceOffer:
    return SliceOffer(
        id=picked.id,
        title=picked.title,
        partition=picked.partition,
        gres=picked.gres,
        cores=picked.cores,
        memory_mb=picked.memory_mb,
        account=site.batch.account or picked.account or defaults.get("account"),
        qos=site.batch.qos or picked.qos or defaults.get("qos"),
        constraint=picked.constraint or defaults.get("constraint"),
        reservation=picked.reservation or defaults.get("reservation"),
        isolation=picked.isolation,
        simulated=picked.simulated,
        devices_wanted=picked.devices_wanted,
    )
