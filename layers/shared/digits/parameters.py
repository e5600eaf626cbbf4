"""What a training can be asked to do."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from digits.architectures import (
    ARCHITECTURES,
    DEFAULT_ARCHITECTURE,
    ArchitectureName,
    describe_architectures,
)
from digits.datasets.uploads import NAME_PATTERN

_DEFAULTS = ARCHITECTURES[DEFAULT_ARCHITECTURE]
_EPOCHS = ", ".join(f"{it.epochs} for {name}" for name, it in ARCHITECTURES.items())
_LEARNING_RATES = ", ".join(
    f"{it.learning_rate} for {name}" for name, it in ARCHITECTURES.items()
)


class Parameters(BaseModel):
    """What a training is asked to do: the body of `POST /train`, every field optional."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())

    dataset: str | None = Field(
        None,
        pattern=NAME_PATTERN,
        description="A dataset's name. The default is mnist, or starter without mnist",
    )
    architecture: ArchitectureName = Field(
        DEFAULT_ARCHITECTURE,
        description=f"The network. {describe_architectures()}",
    )
    epochs: int = Field(
        _DEFAULTS.epochs,
        ge=1,
        le=200,
        description=f"The default is {_EPOCHS}",
    )
    batch_size: int = Field(128, ge=1, le=4096)
    learning_rate: float = Field(
        _DEFAULTS.learning_rate,
        gt=0,
        le=10,
        allow_inf_nan=False,
        description=f"The default is {_LEARNING_RATES}",
    )
    seed: int = Field(0, ge=0, lt=2**31)

    @model_validator(mode="before")
    @classmethod
    def _add_the_architectures_defaults(cls, fields: Any) -> Any:
        # What is no object, or names no architecture, is left for pydantic to refuse.
        if not isinstance(fields, dict):
            return fields
        if fields.get("architecture") not in list(ARCHITECTURES):
            return fields
        architecture = ARCHITECTURES[fields["architecture"]]
        defaults = {
            "epochs": architecture.epochs,
            "learning_rate": architecture.learning_rate,
        }
        return defaults | fields
