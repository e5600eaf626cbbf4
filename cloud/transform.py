"""What CloudFormation makes of the template: SAM's transform, without an account.

`python -m cloud.transform` prints it.
"""

import json
from pathlib import Path
from typing import Any

from cloud import sam

TEMPLATE = Path(__file__).parents[1] / "template.yaml"
REGION = "us-east-1"


def transform(parameters: dict[str, str]) -> dict[str, Any]:
    """The template that CloudFormation gets. The addresses of code in it are made up.

    Args:
        parameters: the template's parameters that the transform shall know. A parameter
            that is left out has its default.
    """
    return sam.transform_template(sam.read_template(TEMPLATE), parameters, REGION)


if __name__ == "__main__":
    print(json.dumps(transform({}), indent=2))  # noqa: T201
