"""The routes of the predict function, each with its OpenAPI operation.

The predict function dispatches on these routes, and the API's description, which the
train function serves, publishes them. No framework describes them, because `/predict`
takes raw bytes, and because a framework would slow the predict function's cold start
(docs/decisions/0006).
"""

from typing import Any

# An HTTP method, and a path of `template.yaml`.
Route = tuple[str, str]
# https://spec.openapis.org/oas/v3.1.0#operation-object
Operation = dict[str, Any]
Schema = dict[str, Any]

PREDICT: Route = ("POST", "/predict")
HEALTH: Route = ("GET", "/health")
PAGE: Route = ("GET", "/")

_PROBLEM_PROPERTIES: Schema = {
    "type": {"type": "string", "examples": ["urn:digits:invalid-image"]},
    "title": {"type": "string"},
    "status": {
        "type": "integer",
        "description": "Absent if API Gateway itself refuses the request",
    },
    "detail": {
        "type": "string",
        "description": "What is wrong, and what to do",
    },
}
_PROBLEM: Schema = {
    "type": "object",
    "required": ["type", "title", "detail"],
    "properties": _PROBLEM_PROPERTIES,
}
_NOT_A_DIGIT: Schema = {
    **_PROBLEM,
    "properties": {
        **_PROBLEM_PROPERTIES,
        "score": {
            "type": "number",
            "description": "The score of the picture; absent if the picture is blank",
        },
        "threshold": {"type": "number", "description": "The lowest score of a digit"},
    },
}
_PREDICTION_PROPERTIES: Schema = {
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
        "description": "With accept=any, false if the picture does not look like a digit",
    },
    "model_version": {"type": "string"},
}
_PREDICTION: Schema = {
    "type": "object",
    "required": list(_PREDICTION_PROPERTIES),
    "properties": _PREDICTION_PROPERTIES,
}
_HEALTH: Schema = {
    "type": "object",
    "properties": {
        "status": {"type": "string", "enum": ["ok", "degraded"]},
        "reason": {"type": ["string", "null"]},
        "model_version": {"type": "string"},
        "release": {
            "type": ["integer", "null"],
            "description": "null if the model bundled with the service answers",
        },
        "checked": {
            "type": ["string", "null"],
            "description": "When the service last read from the store which release is live",
        },
    },
}


def _response(
    description: str, schema: Schema, media_type: str = "application/json"
) -> dict[str, Any]:
    return {"description": description, "content": {media_type: {"schema": schema}}}


def _problem(description: str, schema: Schema = _PROBLEM) -> dict[str, Any]:
    return _response(description, schema, "application/problem+json")


# None leaves a route out of the description.
OPERATIONS: dict[Route, Operation | None] = {
    PREDICT: {
        "summary": "Read a digit",
        "operationId": "predict",
        "parameters": [
            {
                "name": "accept",
                "in": "query",
                "description": (
                    "Answer with the best guess even if the picture does not look like a digit"
                ),
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
            "200": _response("The digit", _PREDICTION),
            "400": _problem("Not a readable PNG"),
            "413": _problem("Over 1 MiB, or over 4096 pixels per side"),
            "415": _problem("Not image/png"),
            "422": _problem("The picture does not look like a digit", _NOT_A_DIGIT),
        },
    },
    HEALTH: {
        "summary": "Show whether the service answers, and with which model",
        "operationId": "health",
        "responses": {"200": _response("State and model version", _HEALTH)},
    },
    PAGE: None,
}
