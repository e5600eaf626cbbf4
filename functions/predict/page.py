"""The page: draw a digit, see the prediction."""

import base64
import hashlib
from pathlib import Path

PAGE = Path(__file__).parents[2] / "web" / "index.html"


def read_page() -> tuple[str, str]:
    """The page's HTML, and its content security policy.

    The page is one file. Its own script and style may run, and they may call this
    service. Everything else is forbidden.
    """
    text = PAGE.read_text("utf-8")
    script = _source_hash(text, "script")
    style = _source_hash(text, "style")
    directives = [
        "default-src 'none'",
        f"script-src '{script}'",
        f"style-src '{style}'",
        "img-src data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ]
    return text, "; ".join(directives)


def _source_hash(text: str, tag: str) -> str:
    """The hash source of an element's text (https://www.w3.org/TR/CSP3/#grammardef-hash-source)."""
    _, _, after_name = text.partition(f"<{tag}")
    _, _, after_tag = after_name.partition(">")
    inner, _, _ = after_tag.partition(f"</{tag}>")
    digest = hashlib.sha256(inner.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"
