"""From an environment of the site to how programs are started in it. Pure."""

from itertools import takewhile
from pathlib import PurePath

from skiva_hub.site import Environment, Site
from skiva_images.launch import Launch


def launch(site: Site, environment: Environment) -> Launch:
    """How programs are started in an environment; what the job needs of its node is seen inside.

    Raises:
        ValueError: a path has characters that a launcher cannot be given.
    """
    if environment.image is None:
        return Launch(python=str(environment.python))
    needed = [str(path) for path in environment.binds]
    needed += [str(site.cluster.conf.parent)] if site.cluster.conf else []
    needed += [str(path) for path in site.cluster.client]
    needed += [_fixed_part(pattern) for pattern in site.cluster.devices]
    needed += [_fixed_part(site.batch.runs)] if site.batch.runs.startswith("/") else []
    return Launch(
        launcher=environment.launcher,
        python=str(environment.python),
        image=str(environment.image),
        binds=tuple(path for path in dict.fromkeys(needed) if path.split("/")[1] != "dev"),
    )


def _fixed_part(pattern: str) -> str:
    """The directory above the first part of a path that is not fixed: a glob pattern, or somebody's name."""
    parts = PurePath(pattern).parts
    fixed = takewhile(lambda part: not set(part) & set("*?[{"), parts[:-1])
    return str(PurePath(*fixed))
