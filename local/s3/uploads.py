"""`PUT /raw/{name}.npz`: receives uploads, in place of S3's presigned URLs."""

import asyncio
import re

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from digits.datasets import MAX_UPLOAD_BYTES, NAME_PATTERN
from digits.datasets.uploads import upload_key
from digits.errors import InvalidParameterError
from digits.store import Store
from local.api_gateway.gateway import limited_body


def upload_route(store: Store) -> Route:
    """The route that writes uploads to a store. An interrupted upload leaves nothing."""

    async def upload(request: Request) -> Response:
        name = request.path_params["name"]
        if not re.fullmatch(NAME_PATTERN, name):
            raise InvalidParameterError(
                f"{name!r} cannot be a dataset's name. Use at most 63 lowercase letters, "
                "digits and underscores, beginning with a letter."
            )
        with store.writer(upload_key(name)) as write:
            async for piece in limited_body(request, MAX_UPLOAD_BYTES):
                await asyncio.to_thread(write, piece)
        return Response()

    return Route(f"/{upload_key('{name}')}", upload, methods=["PUT"])
