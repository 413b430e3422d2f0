"""What a cluster answers to its owner's requests, from JupyterLab, another kernel or a handle."""

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from skiva.dask.scheduler import Answer
from skiva.runs.wish import BadWish

if TYPE_CHECKING:
    from skiva.dask.cluster import SliceCluster

__all__ = ["answers"]


def answers(cluster: "SliceCluster") -> dict[tuple[str, str], Answer]:
    """Every request that there is, by its method and name below `/skiva/`."""

    def status(body: Mapping[str, Any]) -> dict[str, Any]:
        _only(body)
        return cluster.keeper.status().model_dump(mode="json")

    async def scale(body: Mapping[str, Any]) -> dict[str, Any]:
        _only(body, "workers")
        workers = _number(body, "workers")
        cluster.stop_adapting()
        cluster.scale(workers)
        # Its wish is known when the event loop has come round.
        await asyncio.sleep(0)
        return status({})

    def adapt(body: Mapping[str, Any]) -> dict[str, Any]:
        _only(body, "minimum", "maximum")
        cluster.keeper.try_again()
        maximum = _number(body, "maximum") if "maximum" in body else None
        cluster.adapt(minimum=_number(body, "minimum"), maximum=maximum)
        return status({})

    def close(body: Mapping[str, Any]) -> dict[str, Any]:
        _only(body)
        # The answer goes out first: its own server ends with the cluster.
        asyncio.get_running_loop().call_later(0.2, cluster.close_soon)
        return {**status({}), "state": "closing", "sentence": "It is being closed."}

    return {
        ("GET", "status"): status,
        ("POST", "scale"): scale,
        ("POST", "adapt"): adapt,
        ("POST", "close"): close,
    }


def _only(body: Mapping[str, Any], *known: str) -> None:
    for name in set(body) - set(known):
        raise BadWish(f"{name[:40]}: there is no such option")


def _number(body: Mapping[str, Any], name: str) -> int:
    value = body.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= 100_000:
        raise BadWish(f"{name}: must be a whole number from 0")
    return value
