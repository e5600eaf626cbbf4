"""What a training can be asked to do."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from digits.datasets.uploads import NAME_PATTERN

# What its script has, where that is not the default.
_LAB = {"epochs": 3, "learning_rate": 1.0}


class Parameters(BaseModel):
    """What a training run is asked to do: the body of `POST /train`, every field optional."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())

    dataset: str | None = Field(
        None,
        pattern=NAME_PATTERN,
        description="A dataset's name; mnist if there is one",
    )
    architecture: Literal["lab", "lite"] = Field(
        "lite", description="The network: lab is the research lab's CNN"
    )
    epochs: int = Field(50, ge=1, le=200, description="3 for lab")
    batch_size: int = Field(128, ge=1, le=4096)
    learning_rate: float = Field(
        0.002, gt=0, le=10, allow_inf_nan=False, description="1.0 for lab"
    )
    seed: int = Field(0, ge=0, lt=2**31)

    @model_validator(mode="before")
    @classmethod
    def _fill_in_the_labs(cls, given: Any) -> Any:
        return (
            {**_LAB, **given}
            if isinstance(given, dict) and given.get("architecture") == "lab"
            else given
        )
