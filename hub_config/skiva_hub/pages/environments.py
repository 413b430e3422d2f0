"""The spawn page's environments: what the site says of each, and what its record says is in it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from skiva_hub.site import Environment, Site
from skiva_images.record import ImageRecord

Records = Mapping[str, ImageRecord]
"""The record of each environment by its id; one that cannot be read now is not among them."""


@dataclass(frozen=True, slots=True)
class Version:
    """A package that the page names."""

    name: str
    version: str


@dataclass(frozen=True, slots=True)
class EnvironmentCard:
    """One environment on the page; texts are empty and numbers None where no record tells them."""

    id: str
    title: str
    description: str
    good_for: str
    needs: str
    gpu: Literal["unused", "helps", "required"]
    versions: tuple[Version, ...]
    """Python first, then what the environment's definition wants shown."""
    packages: int | None
    image: str
    """What is different in it from the node, where it is an image."""
    digest: str
    short_digest: str
    built: str
    """In UTC, as ISO 8601."""


def environment_cards(
    site: Site, user: str, groups: frozenset[str], records: Records
) -> list[EnvironmentCard]:
    """The environments for `user`, a member of `groups`, in the operator's order."""
    return [_card(offered, records.get(offered.id)) for offered in site.environments_for(user, groups)]


def named(site: Site, environment: str, records: Records) -> str:
    """An environment by its title, with a short digest where one is known; its id where it is gone."""
    title = next((offered.title for offered in site.environment if offered.id == environment), environment)
    record = records.get(environment)
    return f"{title} ({record.short_digest})" if record else title


def _card(offered: Environment, record: ImageRecord | None) -> EnvironmentCard:
    return EnvironmentCard(
        id=offered.id,
        title=offered.title,
        description=offered.description or (record.description if record else ""),
        good_for=record.good_for if record else "",
        needs=record.needs if record else "",
        gpu=record.gpu if record else "unused",
        versions=_versions(record) if record else (),
        packages=(len(record.packages) or None) if record else None,
        image=_image(offered),
        digest=record.digest if record else "",
        short_digest=record.short_digest if record else "",
        built=record.built if record else "",
    )


def _versions(record: ImageRecord) -> tuple[Version, ...]:
    shown = {"Python": record.python_version, **record.versions}
    return tuple(Version(name, version) for name, version in shown.items() if version)


def _image(offered: Environment) -> str:
    if offered.launcher == "direct":
        return ""
    return "An image: programs that are installed on the node are not seen in it."
