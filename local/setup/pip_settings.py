"""pip's settings, for uv, which does not read them."""

from __future__ import annotations  # Runs on older Pythons too.

import ast
import os

# uv's variable for a setting of pip's, and what separates the values where there are several.
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
# Where pip looks for a setting, the weakest first: its files, their part on installing, variables.
_SCOPES = ("global", "install", ":env:")


def parse_settings(listing: str) -> dict[str, str]:
    """The settings that count when pip installs.

    Args:
        listing: what `pip config list` prints: a line `scope.name='value'` for each setting.
    """
    found: dict[str, str] = {}
    for scope in _SCOPES:
        for line in listing.splitlines():
            name, _, value = line.partition("=")
            if name.startswith(f"{scope}."):
                found[name[len(scope) + 1 :]] = ast.literal_eval(value)
    return found


def uv_variables(settings: dict[str, str]) -> dict[str, str]:
    """Environment variables that make uv go by pip's settings. Those of uv's own that are set stay as they are."""
    # pip takes a package from any of its indexes, uv from the first that knows it.
    found = {"UV_INDEX_STRATEGY": "unsafe-best-match", "UV_SYSTEM_CERTS": "true"}
    for name, (variable, separator) in _VARIABLES.items():
        if name in settings:
            found[variable] = separator.join(settings[name].split())
    return {name: value for name, value in found.items() if not os.environ.get(name)}


def uv_options(settings: dict[str, str]) -> list[str]:
    """The same for what uv has no variable for."""
    asked = settings.get("no-index", "").lower() in {"1", "y", "yes", "t", "true", "on"}
    return ["--no-index"] if asked else []
