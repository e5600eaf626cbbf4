"""Errors that a caller can act on, each with its HTTP response (RFC 9457)."""

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    import logging

    from aws_lambda_powertools import Logger

    from digits.arrays import Pixels

PROBLEM_JSON = "application/problem+json"


class DigitsError(Exception):
    """Base of every error that this service raises on purpose.

    Args:
        detail: what is wrong, the limit, and what to do.
        members: JSON values that the problem document gets, too.

    Example:
        >>> error = UnknownError("There is no model 'x'. List models with GET /models.")
        >>> error.problem()["status"]
        404
    """

    status: ClassVar[HTTPStatus] = HTTPStatus.INTERNAL_SERVER_ERROR
    slug: ClassVar[str] = "internal-error"
    title: ClassVar[str] = "Internal error"

    def __init__(self, detail: str, **members: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.members = members

    def problem(self) -> dict[str, Any]:
        """The `application/problem+json` document."""
        return {
            "type": f"urn:digits:{self.slug}",
            "title": self.title,
            "status": int(self.status),
            "detail": self.detail,
            **self.members,
        }


class InvalidRequestError(DigitsError):
    """The request cannot be read: its JSON, its base64 or a header is malformed."""

    status = HTTPStatus.BAD_REQUEST
    slug = "invalid-request"
    title = "Invalid request"


class InvalidParameterError(DigitsError):
    """The request was read, and asks for something that is not possible."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    slug = "invalid-parameter"
    title = "Invalid parameter"


class UnsupportedMediaTypeError(DigitsError):
    """The body has another media type than the route takes."""

    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    slug = "unsupported-media-type"
    title = "Unsupported media type"


class InvalidImageError(DigitsError):
    """The bytes are not a whole, undamaged PNG."""

    status = HTTPStatus.BAD_REQUEST
    slug = "invalid-image"
    title = "Not a readable PNG"


class ImageTooLargeError(DigitsError):
    """The image has more bytes or pixels than the service takes."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    slug = "image-too-large"
    title = "Image too large"


class NotADigitError(DigitsError):
    """The image was read, and does not look like a digit.

    Attributes:
        guess: (28, 28) uint8, the part of the image that is most like a digit, in the form
            of MNIST's images; None if the image is blank.
    """

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    slug = "not-a-digit"
    title = "Not a digit"

    def __init__(
        self, detail: str, guess: "Pixels | None" = None, **members: Any
    ) -> None:
        super().__init__(detail, **members)
        self.guess = guess


class InvalidDatasetError(DigitsError):
    """An uploaded dataset has wrong members, shapes, types, labels or sizes."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    slug = "invalid-dataset"
    title = "Invalid dataset"


class UnknownError(DigitsError):
    """There is no such route, dataset, model, release or job."""

    status = HTTPStatus.NOT_FOUND
    slug = "not-found"
    title = "Not found"


class ConflictError(DigitsError):
    """The thing exists already, or its state forbids the request."""

    status = HTTPStatus.CONFLICT
    slug = "conflict"
    title = "Conflict"


class StoreError(DigitsError):
    """The object store did not answer, or refused. The same request may work later."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    slug = "store-unavailable"
    title = "Object store unavailable"


class MissingObjectError(StoreError):
    """An expected key is missing from the store."""

    status = HTTPStatus.NOT_FOUND
    slug = "not-found"
    title = "Not found"


class DamagedObjectError(StoreError):
    """A stored object fails its checksum, its schema version or its format."""

    slug = "damaged-object"
    title = "Damaged object"


def to_answer(error: Exception, logger: "Logger | logging.Logger") -> DigitsError:
    """The error to answer with, after logging.

    A `DigitsError` tells the caller what to do. If its status is 5xx, such as that of a
    `StoreError`, it is logged as a warning. Any other error is a fault of the service: it
    is logged with its traceback, and the answer has no details.
    """
    if not isinstance(error, DigitsError):
        logger.error("Unhandled error", exc_info=error)
        return DigitsError(
            "The service failed, and the error was logged. Try again later."
        )
    if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        logger.warning(error.detail)
    return error
