"""The API's description: Powertools generates the control plane's, and the data plane's is written here.

`/predict` takes raw bytes, for which Powertools has no parameter, and its function is kept free of pydantic.
"""

from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayRestResolver
from aws_lambda_powertools.event_handler.openapi.models import OpenAPI

_PROBLEM = {
    "type": "object",
    "required": ["type", "title", "detail"],
    "properties": {
        "type": {"type": "string", "examples": ["urn:digits:invalid-image"]},
        "title": {"type": "string"},
        "status": {"type": "integer", "description": "Absent from the gateway's own refusals"},
        "detail": {"type": "string", "description": "What is wrong and what to do about it"},
    },
}
_PREDICTION = {
    "type": "object",
    "required": ["prediction", "confidence", "probabilities", "model_version"],
    "properties": {
        "prediction": {"type": "integer", "minimum": 0, "maximum": 9},
        "confidence": {"type": "number", "minimum": 0, "maximum": 1},
        "probabilities": {"type": "array", "items": {"type": "number"}, "minItems": 10, "maxItems": 10},
        "model_version": {"type": "string"},
    },
}
_HEALTH = {
    "type": "object",
    "properties": {
        "status": {"type": "string", "enum": ["ok", "degraded"]},
        "reason": {"type": ["string", "null"]},
        "model_version": {"type": "string"},
        "release": {"type": ["integer", "null"], "description": "null: the model bundled with the service answers"},
    },
}


def _answer(description: str, schema: dict[str, Any], media_type: str = "application/json") -> dict[str, Any]:
    return {"description": description, "content": {media_type: {"schema": schema}}}


def _problem(description: str) -> dict[str, Any]:
    return _answer(description, _PROBLEM, "application/problem+json")


_DATA_PLANE: dict[str, Any] = {
    "/predict": {
        "post": {
            "summary": "Read a digit",
            "operationId": "predict",
            "requestBody": {
                "required": True,
                "content": {"image/png": {"schema": {"type": "string", "format": "binary"}}},
            },
            "responses": {
                "200": _answer("The digit", _PREDICTION),
                "400": _problem("Not a readable PNG"),
                "413": _problem("Over 1 MiB, or over 4096 pixels a side"),
                "415": _problem("Not image/png"),
                "422": _problem("No digit on the picture"),
            },
        },
    },
    "/health": {
        "get": {
            "summary": "Tell whether the service answers, and with which model",
            "operationId": "health",
            "responses": {"200": _answer("State and model version", _HEALTH)},
        },
    },
}


class DocumentedResolver(APIGatewayRestResolver):
    """A resolver whose OpenAPI document covers the whole service."""

    def get_openapi_schema(self, **options: Any) -> OpenAPI:
        """The generated document with the data plane added."""
        schema = super().get_openapi_schema(**options)
        schema.paths = _DATA_PLANE | (schema.paths or {})
        return schema
