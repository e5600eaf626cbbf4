"""Errors a caller can act on, each with the HTTP answer it becomes (RFC 9457)."""

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    import logging

    from aws_lambda_powertools import Logger

    from digits.arrays import Pixels

PROBLEM_JSON = "application/problem+json"


class DigitsError(Exception):
    """Base of every error this service raises on purpose.

    The message tells the caller what to do. `members` are added to the problem document
    as they are, so they must be JSON values.

    Example:
        >>> UnknownError("There is no model 'x'. List them with GET /models.").problem()["status"]
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
        """The `application/problem+json` document: type, title, status, detail and this error's own members."""
        return {
            "type": f"urn:digits:{self.slug}",
            "title": self.title,
            "status": int(self.status),
            "detail": self.detail,
            **self.members,
        }


class InvalidRequestError(DigitsError):
    """The request cannot be read: not JSON, not base64, a header that makes no sense."""

    status = HTTPStatus.BAD_REQUEST
    slug = "invalid-request"
    title = "Invalid request"


class InvalidParameterError(DigitsError):
    """The request was read, and asks for something that cannot be."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    slug = "invalid-parameter"
    title = "Invalid parameter"


class UnsupportedMediaTypeError(DigitsError):
    """The body is not of the type that the route takes."""

    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    slug = "unsupported-media-type"
    title = "Unsupported media type"


class InvalidImageError(DigitsError):
    """The bytes are not a PNG that can be read."""

    status = HTTPStatus.BAD_REQUEST
    slug = "invalid-image"
    title = "Not a readable PNG"


class ImageTooLargeError(DigitsError):
    """The image has more bytes or pixels than the service takes."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    slug = "image-too-large"
    title = "Image too large"


class NotADigitError(DigitsError):
    """The image was read, and shows no digit.

    Attributes:
        guess: what resembles one most, (28, 28) uint8 as networks see it; None if nothing does.
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
    """An uploaded dataset breaks the format: members, shapes, types, labels, sizes."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    slug = "invalid-dataset"
    title = "Invalid dataset"


class UnknownError(DigitsError):
    """There is no such route, dataset, model, release or job."""

    status = HTTPStatus.NOT_FOUND
    slug = "not-found"
    title = "Not found"


class ConflictError(DigitsError):
    """The thing exists already, or is in a state that forbids the request."""

    status = HTTPStatus.CONFLICT
    slug = "conflict"
    title = "Conflict"


class StoreError(DigitsError):
    """The object store did not answer, or refused. The same request may work later."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    slug = "store-unavailable"
    title = "Object store unavailable"


class MissingObjectError(StoreError):
    """A key that was expected in the store is not there."""

    status = HTTPStatus.NOT_FOUND
    slug = "not-found"
    title = "Not found"


class DamagedObjectError(StoreError):
    """A stored object fails its checksum, its schema version or its format."""

    slug = "damaged-object"
    title = "Damaged object"


def to_answer(error: Exception, logger: "Logger | logging.Logger") -> DigitsError:
    """What to answer an error with.

    A `DigitsError` is the caller's to mend and says how; a `StoreError` and its like
    (5xx) are logged as warnings. Anything else is a fault of ours: logged with its
    traceback, and answered without details.
    """
    if not isinstance(error, DigitsError):
        logger.error("Unhandled error", exc_info=error)
        return DigitsError("The service failed. It has been logged; try again later.")
    if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        logger.warning(error.detail)
    return error
