"""Describes the API: the train function by Powertools, predict by `digits.routes`."""

from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayRestResolver
from aws_lambda_powertools.event_handler.openapi.models import OpenAPI

from digits.routes import OPERATIONS


class DocumentedResolver(APIGatewayRestResolver):
    """A resolver whose OpenAPI document covers the whole service."""

    def get_openapi_schema(self, **options: Any) -> OpenAPI:
        """The generated document with the predict function's paths added."""
        schema = super().get_openapi_schema(**options)
        schema.paths = _predict_paths() | (schema.paths or {})
        return schema


def _predict_paths() -> dict[str, Any]:
    paths: dict[str, Any] = {}
    for (method, path), operation in OPERATIONS.items():
        if operation is not None:
            paths.setdefault(path, {})[method.lower()] = operation
    return paths
