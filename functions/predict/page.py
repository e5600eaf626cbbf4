"""The page: draw a digit, see the answer."""

import base64
import hashlib
from pathlib import Path

PAGE = Path(__file__).parents[2] / "web" / "index.html"


def read() -> tuple[str, str]:
    """The page's HTML, and its content security policy.

    It is one file: its own script and style may run, it may talk to this service, and that is all.
    """
    text = PAGE.read_text("utf-8")
    script, style = (_source_hash(text, tag) for tag in ("script", "style"))
    return text, (
        f"default-src 'none'; script-src '{script}'; style-src '{style}'; img-src data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def _source_hash(text: str, tag: str) -> str:
    inner = text.partition(f"<{tag}")[2].partition(">")[2].partition(f"</{tag}>")[0]
    return (
        "sha256-" + base64.b64encode(hashlib.sha256(inner.encode()).digest()).decode()
    )
