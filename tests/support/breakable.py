"""A cluster whose site and hub are replaced by ones that can be broken, for as long as that is wanted."""

import json
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.support.faults import ENVIRONMENTS, Faults
from tests.support.hub import HubClient
from tests.support.own_hub import OwnHub

from skiva_hub.embedded.slurm_files import LOW_PRIORITY
from skiva_hub.toml_text import table

__all__ = ["breakable"]

_SLICES = (
    {"id": "light", "partition": "cpu", "isolation": "none"},
    {"id": "mini", "partition": "slices", "isolation": "exclusive", "gres": "gpu:1g.10gb:1"},
    {"id": "low", "partition": LOW_PRIORITY, "isolation": "exclusive", "gres": "gpu:1g.10gb:1"},
    {"id": "nowhere", "partition": "nowhere", "isolation": "none"},
    {"id": "mini-gpu", "partition": "gpu", "isolation": "exclusive", "gres": "gpu:h100:1"},
)


@contextmanager
def breakable(cluster: Any) -> Iterator[Faults]:
    """The cluster, breakable: fake commands before Slurm's, light servers, a hub that can be killed."""
    site, act = cluster.dir / "site.toml", cluster.dir / "etc" / "act.json"
    kept = {path: path.read_bytes() for path in (site, act)}
    with HubClient(cluster.url, cluster.admin_token) as client:
        broken = Faults(cluster, client, OwnHub(cluster, client))
        broken.install()
        site.write_text(_site_text(tomllib.loads(kept[site].decode()), broken))
        act.write_text(
            json.dumps(json.loads(kept[act]) | {"bin": str(broken.bin), "run_dirs": broken.run_dirs})
        )
        broken.hub.take_over()
        try:
            yield broken
        finally:
            broken.mend()
            broken.end_everything()
            for path, content in kept.items():
                path.write_bytes(content)
            broken.hub.give_back()
            broken.remove()


def _site_text(site: dict[str, Any], broken: Faults) -> str:
    cluster: dict[str, Any] = site["cluster"]
    cluster |= {"bin": str(broken.bin), "command_timeout": 2.0, "idle_interval": 2.0, "busy_interval": 0.5}
    cluster["devices"] = [*cluster["devices"], f"{broken.openable}/*"]
    slices = [*site["slice"], *({**s, "title": s["id"], "cores": 1, "memory_mb": 200} for s in _SLICES)]
    stand_ins = [{"id": kind, "title": kind, "python": str(broken.python(kind))} for kind in ENVIRONMENTS]
    site["hub"]["run_dirs"] = broken.run_dirs
    site["partition"] += [{"name": LOW_PRIORITY}, {"name": "nowhere"}]
    site["limits"] = {"servers": 8, "start_seconds": 15}
    return "\n".join(
        [
            table("", {name: value for name, value in site.items() if isinstance(value, str)}).lstrip("\n"),
            *(table(f"[{name}]", site[name]) for name in ("hub", "cluster", "hours", "limits")),
            table("[idle]", {"minutes": 0}),
            *(table("[[partition]]", one) for one in site["partition"]),
            *(table("[[slice]]", one) for one in slices),
            *(table("[[environment]]", one) for one in [*site["environment"], *stand_ins]),
        ]
    )
