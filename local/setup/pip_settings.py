"""pip's settings for uv, which does not read them."""

from __future__ import annotations  # for older Pythons

import ast
import os

# For each setting of pip the variable of uv, and the separator of several values.
_VARIABLES = {
    "index-url": ("UV_DEFAULT_INDEX", " "),
    "extra-index-url": ("UV_INDEX", " "),
    "find-links": ("UV_FIND_LINKS", ","),
    "constraint": ("UV_CONSTRAINT", " "),
    "trusted-host": ("UV_INSECURE_HOST", " "),
    "keyring-provider": ("UV_KEYRING_PROVIDER", " "),
    "default-timeout": ("UV_HTTP_TIMEOUT", " "),
    "timeout": ("UV_HTTP_TIMEOUT", " "),
    "cert": ("SSL_CERT_FILE", " "),
    "client-cert": ("SSL_CLIENT_CERT", " "),
    "proxy": ("ALL_PROXY", " "),
}
# The scopes of pip's settings, the weakest first: files, their section for `pip install`,
# and environment variables.
_SCOPES = ("global", "install", ":env:")


def parse_settings(listing: str) -> dict[str, str]:
    """The settings of `pip install`.

    Args:
        listing: the output of `pip config list`, with lines `scope.name='value'`.
    """
    settings: dict[str, str] = {}
    for scope in _SCOPES:
        for line in listing.splitlines():
            name, _, value = line.partition("=")
            if name.startswith(f"{scope}."):
                name = name[len(scope) + 1 :]
                settings[name] = ast.literal_eval(value)
    return settings


def uv_variables(settings: dict[str, str]) -> dict[str, str]:
    """The environment variables that give uv pip's settings.

    Variables of uv that the user has set are left out.
    """
    # pip takes a package from any index, uv from the first index with the package.
    variables = {"UV_INDEX_STRATEGY": "unsafe-best-match", "UV_SYSTEM_CERTS": "true"}
    for name, (variable, separator) in _VARIABLES.items():
        if name in settings:
            values = settings[name].split()
            variables[variable] = separator.join(values)
    for name in list(variables):
        if os.environ.get(name):
            del variables[name]
    return variables


def uv_options(settings: dict[str, str]) -> list[str]:
    """The options for settings of pip that have no variable in uv."""
    no_index = settings.get("no-index", "").lower()
    # pip's words for true.
    if no_index in {"1", "y", "yes", "t", "true", "on"}:
        return ["--no-index"]
    return []
