"""From a choice to what is asked of Slurm and what the job is told. Pure."""

import json
from pathlib import PurePath
from typing import Any

from skiva_hub.launches import launch
from skiva_hub.site import Site
from skiva_images.launch import command_line
from skiva_slurm.offer import Offer
from skiva_slurm.sbatch import JobRequest
from skiva_slurm.tags import Tag
from skiva_spawners.options import Choice
from skiva_spawners.record import Record

_FROM_HUB = "JUPYTERHUB_"
_WARN_SECONDS = 120
"""How long before its end a session is told to save; in a short one not before half of it is over."""


def _warn_seconds(choice: Choice) -> int:
    return min(_WARN_SECONDS, choice.minutes * 30)


def tag_of(site: Site, user: str, server: str, record: Record) -> Tag:
    """The mark by which a session's job is found again."""
    return Tag(hub=site.hub.id, user=user, server=server, nonce=record.nonce)


def job_request(
    site: Site, choice: Choice, tag: Tag, home: str, defaults: dict[str, str], account: str | None = None
) -> JobRequest:
    """What is asked of Slurm; `defaults` are a migrated site's settings for what a slice leaves open.

    `account` pays where neither the slice nor these settings name another.

    Raises:
        ValueError: names the field that Slurm could not be given.
    """
    picked = choice.slice
    return JobRequest(
        tag=tag.text,
        partition=picked.partition,
        gres=picked.gres,
        extra_gres=picked.extra_gres,
        cores=picked.cores,
        memory_mb=picked.memory_mb,
        minutes=choice.minutes,
        account=picked.account or defaults.get("account") or account,
        qos=picked.qos or defaults.get("qos"),
        constraint=picked.constraint or defaults.get("constraint"),
        reservation=picked.reservation or defaults.get("reservation"),
        licenses=picked.licenses or defaults.get("licenses"),
        exclude=picked.exclude or defaults.get("exclude"),
        output=str(PurePath(home) / site.hub.run_dirs / tag.nonce / "log"),
        chdir=home,
        warn_seconds=_warn_seconds(choice),
        requeue=True,
        command=tuple(command_line(launch(site, choice.environment), ["-I", "-m", "skiva.session"])),
    )


def server_file(
    site: Site,
    choice: Choice,
    record: Record,
    private_key: str,
    env: dict[str, str],
    stream_url: str,
    offered: Offer,
) -> str:
    """The text of `server.json`: the one place, readable by its owner alone, for a session's secrets.

    `offered` is what the site lets this person hand to the queue.
    """
    picked = choice.slice
    private: dict[str, Any] = {
        "env": {name: value for name, value in env.items() if name.startswith(_FROM_HUB)},
        "certificate": record.certificate,
        "private_key": private_key,
        "nonce": record.nonce,
        "bind": site.hub.bind,
        "ports": list(site.hub.ports),
        "devices": list(site.cluster.devices),
        "always_open": list(site.cluster.always_open),
        "must_be_exclusive": picked.isolation == "exclusive" and site.cluster.fenced,
        "devices_wanted": picked.devices_wanted,
        "stream_url": stream_url,
        "variables": choice.environment.variables,
        "minutes": choice.minutes,
        "session": {
            "slice": picked.id,
            "title": picked.title,
            "environment": choice.environment.title,
            "environment_id": choice.environment.id,
            "isolation": picked.isolation,
            "simulated": picked.simulated,
            "warn": _warn_seconds(choice),
            "gres": picked.gres or "",
            "memory_mb": picked.memory_mb,
            "extend_hours": site.hours.extend_by if site.hours.extend_as else 0.0,
            "max_hours": site.max_hours(picked),
        },
        "offer": offered.model_dump(mode="json"),
    }
    return json.dumps(private)
