"""The form's environments and compute types: this session's environment, and the slices for runs."""

from collections.abc import Iterable

from jupyter_scheduler.environments import EnvironmentManager, EnvironmentRetrievalError
from jupyter_scheduler.models import RuntimeEnvironment

from skiva.runs.offer import NoOffer, find_offer
from skiva.scheduler.compute import compute_types, default_compute_type
from skiva.scheduler.describe import FORMATS

__all__ = ["SlurmEnvironments"]


class SlurmEnvironments(EnvironmentManager):
    """What the hub told this session at its start."""

    hours: Iterable[float] | None = None
    """The hours to choose from beside the default; None for 8, 24 and the most that is possible."""

    def list_environments(self) -> list[RuntimeEnvironment]:
        """The environment of this session: a job runs in the one from which it is sent.

        Raises:
            EnvironmentRetrievalError: no site is known here.
        """
        try:
            offer = find_offer()
        except NoOffer as nothing:
            raise EnvironmentRetrievalError(str(nothing)) from None
        return [
            RuntimeEnvironment(
                name=offer.environment.id,
                label=offer.environment.title,
                description=f"The environment of this session: {offer.environment.title}",
                file_extensions=["ipynb"],
                output_formats=list(FORMATS),
                metadata={"digest": offer.environment.digest},
                compute_types=compute_types(offer, self.hours),
                default_compute_type=default_compute_type(offer),
                utc_only=False,
            )
        ]

    def manage_environments_command(self) -> str:
        """There is none: environments are the operators'."""
        return ""

    def output_formats_mapping(self) -> dict[str, str]:
        """The formats in which results can be had."""
        return dict(FORMATS)
