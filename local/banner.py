"""What the server says when it is ready."""

from local import keys
from local.access import Access

_READY = """
Digits is ready: {url}  (draw a digit there, or read the API at {url}/docs)

  curl -sS --data-binary @example/8.png -H 'Content-Type: image/png' {predict_key}{url}/predict
{about_key}
Ctrl-C stops it. A training that runs goes on; the next start follows it.

"""
_KEY = """
Training, models and datasets want the API key, {where}:

  curl -sS -X POST {header} {url}/train
"""


def banner(url: str, access: Access) -> str:
    """The text, with a command for `/predict` and, where a key is wanted, one that sends it."""
    if access.key is None:
        return _READY.format(url=url, predict_key="", about_key="")
    if access.key.path:
        where, value = f"which {access.key.path} keeps", access.key.value
    else:
        where, value = f"which is ${keys.VARIABLE}", f"${keys.VARIABLE}"
    header = f'-H "Authorization: Bearer {value}"'
    about_key = _KEY.format(where=where, header=header, url=url)
    return _READY.format(url=url, predict_key="" if access.is_predict_open else f"{header} ", about_key=about_key)
