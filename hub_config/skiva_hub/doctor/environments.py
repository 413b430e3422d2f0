"""The environments on this machine: there, readable, with a record, and nobody else can change them."""

import os
from collections.abc import Collection, Iterator
from itertools import islice
from pathlib import Path

from skiva_hub.doctor.finding import Finding, Group, error, listed, ok, warning
from skiva_hub.doctor.helper import serves_many
from skiva_hub.doctor.paths import changeable, weaknesses
from skiva_hub.site import Environment, Site
from skiva_images.record import FILE, read_record

_G = Group.HUB
_MOST = 4


def environments(site: Site) -> Iterator[Finding]:
    """One finding for each environment; what only the nodes can tell is left to the probe jobs."""
    many = serves_many(site)
    owners = {0} if many else {0, os.geteuid()}
    for environment in site.environment:
        place = environment.image or environment.python
        try:
            found = list(islice(_weak(environment, owners, for_all=many), _MOST))
        except OSError:
            yield warning(
                _G,
                f"Environment {environment.id}: {place} is not on this machine.",
                f"Correct {'image' if environment.image else 'python'}, "
                "or see that the probe jobs find it on the nodes.",
            )
            continue
        if found:
            cure = "What starts every session must belong to root, and all must be able to use it."
            yield error(_G, f"Environment {environment.id}: {listed(found, 3)}.", cure)
        else:
            yield _whole(environment, place)


def _weak(environment: Environment, owners: Collection[int], *, for_all: bool) -> Iterator[str]:
    if environment.image is None:
        yield from weaknesses(environment.python, owners, for_all=for_all)
        prefix = environment.python.parent.parent
        # Only around a virtual environment's Python is all of it the environment.
        if (prefix / "pyvenv.cfg").exists():
            yield from changeable(prefix.resolve(), owners)
        return
    yield from weaknesses(environment.image, owners, for_all=for_all, runs=False)
    if environment.image.is_dir():
        rootfs = environment.image.resolve()
        # Elsewhere in it there are things that a system's accounts own, which nothing of a session runs.
        for tree in (environment.python.parent.parent, Path("/usr")):
            yield from changeable(rootfs / tree.relative_to("/"), owners)


def _whole(environment: Environment, place: Path) -> Finding:
    sentence = f"Environment {environment.id} is there, and nobody else can change what it runs"
    record = read_record(place)
    if record is None:
        hint = f"What 'skiva images build' makes has a record ({FILE}); pages then show what is in it."
        return ok(_G, f"{sentence}; it has no record.", hint)
    return ok(_G, f"{sentence}; its digest is {record.short_digest}.")
