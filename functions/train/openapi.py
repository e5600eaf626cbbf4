"""The API's description: Powertools generates the control plane's, and the data plane's is written here.

`/predict` takes raw bytes, for which Powertools has no parameter, and its function is
kept free of pydantic.
"""

from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayRestResolver
from aws_lambda_powertools.event_handler.openapi.models import OpenAPI

_PROBLEM: dict[str, Any] = {
    "type": "object",
    "required": ["type", "title", "detail"],
    "properties": {
        "type": {"type": "string", "examples": ["urn:digits:invalid-image"]},
        "title": {"type": "string"},
        "status": {
            "type": "integer",
            "description": "Absent from the gateway's own refusals",
        },
        "detail": {
            "type": "string",
            "description": "What is wrong and what to do about it",
        },
    },
}
_NOT_A_DIGIT = {
    **_PROBLEM,
    "properties": {
        **_PROBLEM["properties"],
        "score": {
            "type": "number",
            "description": "Of the picture; absent if it is blank",
        },
        "threshold": {"type": "number", "description": "The lowest score of a digit"},
    },
}
_PREDICTION = {
    "type": "object",
    "required": [
        "prediction",
        "confidence",
        "probabilities",
        "score",
        "accepted",
        "model_version",
    ],
    "properties": {
        "prediction": {"type": "integer", "minimum": 0, "maximum": 9},
        "confidence": {"type": "number", "minimum": 0, "maximum": 1},
        "probabilities": {
            "type": "array",
            "items": {"type": "number"},
            "minItems": 10,
            "maxItems": 10,
        },
        "score": {
            "type": "number",
            "description": "The higher, the more the picture looks like a digit",
        },
        "accepted": {
            "type": "boolean",
            "description": "false, with accept=any only: the picture looks like no digit",
        },
        "model_version": {"type": "string"},
    },
}
_HEALTH = {
    "type": "object",
    "properties": {
        "status": {"type": "string", "enum": ["ok", "degraded"]},
        "reason": {"type": ["string", "null"]},
        "model_version": {"type": "string"},
        "release": {
            "type": ["integer", "null"],
            "description": "null: the model bundled with the service answers",
        },
        "checked": {
            "type": ["string", "null"],
            "description": "When the store last said which release is live",
        },
    },
}


def _answer(
    description: str, schema: dict[str, Any], media_type: str = "application/json"
) -> dict[str, Any]:
    return {"description": description, "content": {media_type: {"schema": schema}}}


def _problem(description: str, schema: dict[str, Any] = _PROBLEM) -> dict[str, Any]:
    return _answer(description, schema, "application/problem+json")


_DATA_PLANE: dict[str, Any] = {
    "/predict": {
        "post": {
            "summary": "Read a digit",
            "operationId": "predict",
            "parameters": [
                {
                    "name": "accept",
                    "in": "query",
                    "description": "Answer with the best guess even if the picture looks like no digit",
                    "schema": {"type": "string", "enum": ["any"]},
                }
            ],
            "requestBody": {
                "required": True,
                "content": {
                    "image/png": {"schema": {"type": "string", "format": "binary"}}
                },
            },
            "responses": {
                "200": _answer("The digit", _PREDICTION),
                "400": _problem("Not a readable PNG"),
                "413": _problem("Over 1 MiB, or over 4096 pixels a side"),
                "415": _problem("Not image/png"),
                "422": _problem("No digit on the picture", _NOT_A_DIGIT),
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
