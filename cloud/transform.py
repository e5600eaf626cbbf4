"""What CloudFormation makes of the template: SAM's transform, without an account. `python -m cloud.transform`."""

import json
import logging
from pathlib import Path
from typing import Any

from samcli.lib.translate.sam_template_validator import SamTemplateValidator
from samcli.yamlhelper import yaml_parse

TEMPLATE = Path(__file__).parents[1] / "template.yaml"
REGION = "us-east-1"

# It tells of switches of the transform that only AWS itself can set.
logging.getLogger("samtranslator").setLevel(logging.ERROR)


def transform(parameters: dict[str, str]) -> dict[str, Any]:
    """The template that CloudFormation gets, in which code lies at some made-up address.

    Args:
        parameters: the template's. The transform reads some of them; a parameter that
            is left out has its default.
    """
    # Managed policies are looked up by name in an account, and no function names one.
    validator = SamTemplateValidator(
        yaml_parse(TEMPLATE.read_text("utf-8")),
        None,
        region=REGION,
        parameter_overrides=parameters,
    )
    template: dict[str, Any] = yaml_parse(validator.get_translated_template_if_valid())
    return template


if __name__ == "__main__":
    print(json.dumps(transform({}), indent=2))  # noqa: T201
