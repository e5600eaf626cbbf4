"""API Gateway's REST proxy events and responses, as types.

Import this module for type checking only: functions need the types, not the classes.

https://docs.aws.amazon.com/lambda/latest/dg/services-apigateway.html#apigateway-example-event
"""

from typing import Any, NotRequired, TypedDict


class Event(TypedDict):
    """A request, as a function receives it.

    Attributes:
        resource: the path of the route, such as `/train/{job_id}`.
        path: the path of the request, such as `/train/20260101-000000`.
        headers: their names are in the case that the client chose.
        body: base64 if `isBase64Encoded` is true; None if the body is empty.
    """

    resource: str
    path: str
    httpMethod: str
    headers: dict[str, str] | None
    multiValueHeaders: dict[str, list[str]] | None
    queryStringParameters: dict[str, str] | None
    multiValueQueryStringParameters: dict[str, list[str]] | None
    pathParameters: dict[str, str] | None
    stageVariables: dict[str, str] | None
    requestContext: dict[str, Any]
    body: str | None
    isBase64Encoded: bool


class Response(TypedDict):
    """A response, as a function returns it.

    Attributes:
        body: base64 if `isBase64Encoded` is true.
    """

    statusCode: int
    headers: dict[str, str]
    body: str
    isBase64Encoded: NotRequired[bool]
