"""What a form said of a job, kept beside its run: all that a run does not know itself."""

from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from skiva.runs.files import read_json
from skiva.runs.spec import Spec

__all__ = ["CARD", "Card", "card_of"]

CARD = "scheduler.json"
"""Its name in a run's directory."""


class Card(BaseModel):
    """The fields that jobs and their definitions share, by jupyter-scheduler's names."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    input_filename: str
    runtime_environment_name: str
    runtime_environment_parameters: dict[str, bool | int | float | str] | None = None
    output_formats: tuple[str, ...] = ()
    idempotency_token: str | None = None
    job_definition_id: str | None = None
    parameters: dict[str, str] | None = None
    tags: tuple[str, ...] = ()
    output_filename_template: str | None = None
    compute_type: str | None = None
    package_input_folder: bool = False

    @classmethod
    def of(cls, model: Any) -> "Card":
        """What a model of jupyter-scheduler says; what it leaves open is left to the defaults."""
        given = {name: value for name, value in model.dict().items() if value is not None}
        return cls.model_validate(given)

    def changed(self, values: Mapping[str, Any]) -> "Card":
        """The same with these values."""
        return type(self).model_validate({**self.model_dump(), **values})


def card_of(run: Path, spec: Spec) -> Card:
    """What the form said of a run; of one that came another way, what the form would have said."""
    try:
        return Card.model_validate(read_json(run / CARD))
    except ValidationError:
        pass
    notebook = str(spec.source.get("notebook") or f"{spec.name}.ipynb")
    return Card(
        name=spec.name,
        input_filename=PurePath(notebook).name,
        runtime_environment_name=spec.environment.get("id", ""),
        output_formats=("ipynb",),
        parameters={name: str(value) for name, value in spec.parameters.items()} or None,
        compute_type=spec.slice,
        package_input_folder=False,
    )
