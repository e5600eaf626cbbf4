"""The networks that a training can be asked for.

The API, the command line and the documents take their lists from this module, which
imports no TensorFlow. `training/networks/` has the networks, a module per architecture.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal


@dataclass(frozen=True)
class Architecture:
    """A network that a training can be asked for.

    Attributes:
        description: one line for the API's and the command line's help.
        epochs: the default number of epochs.
        learning_rate: the default learning rate.
        examples_shown: examples that an epoch shows, per example of the dataset. More
            than 1 where the recipe adds rendered digits, damaged digits or non-digits.
    """

    description: str
    epochs: int
    learning_rate: float
    examples_shown: float = 1.0


DEFAULT_ARCHITECTURE = "lite"
ARCHITECTURES = {
    "lab": Architecture(
        description="the research lab's CNN",
        epochs=3,
        # The lab's script relied on Keras' default for Adadelta, which was 1.0 then and
        # is 0.001 since TensorFlow 2.
        learning_rate=1.0,
    ),
    "lite": Architecture(
        description="six convolutions, a quarter of lab's weights",
        epochs=50,
        learning_rate=0.002,
        examples_shown=1.5,
    ),
}

# For pydantic and typer, the names above are the only values. A type checker cannot
# read a Literal that is made from a dict.
if TYPE_CHECKING:
    ArchitectureName = str
else:
    ArchitectureName = Literal[*ARCHITECTURES]


def describe_architectures() -> str:
    """The architectures in one line of help."""
    return "; ".join(
        f"{name}: {architecture.description}"
        for name, architecture in ARCHITECTURES.items()
    )
