"""What the server says when it is ready."""

from pathlib import Path

from local.api_gateway import keys
from local.api_gateway.access import Access
from local.checkout import ROOT

_PICTURE = Path("example", "8.png")

_READY = """
Digits is ready: {url}  (draw a digit there, or read the API at {url}/docs)

  curl -sS --data-binary @{picture} -H 'Content-Type: image/png' {predict_key}{url}/predict
{about_key}
Ctrl-C stops it. A training that runs goes on; the next start follows it.

"""
_KEY = """
Training, models and datasets want the API key, {where}:

  curl -sS -X POST {header} {url}/train
"""


def banner(url: str, access: Access) -> str:
    """The text, with a command for `/predict` and, where a key is wanted, one that sends it."""
    picture = _PICTURE if Path.cwd() == ROOT else ROOT / _PICTURE
    if access.key is None:
        return _READY.format(url=url, picture=picture, predict_key="", about_key="")
    if access.key.path:
        where, value = f"which {access.key.path} keeps", access.key.value
    else:
        where, value = f"which is ${keys.VARIABLE}", f"${keys.VARIABLE}"
    header = f'-H "Authorization: Bearer {value}"'
    about_key = _KEY.format(where=where, header=header, url=url)
    predict_key = "" if access.is_predict_open else f"{header} "
    return _READY.format(
        url=url, picture=picture, predict_key=predict_key, about_key=about_key
    )
