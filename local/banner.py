"""The text that the server prints when it is ready."""

from pathlib import Path

from local.api_gateway import keys
from local.api_gateway.access import Access
from local.checkout import ROOT

_PICTURE = Path("example", "8.png")

_READY = """
Digits is ready: {url}  (draw a digit there; the API is at {url}/docs)

  curl -sS --data-binary @{picture} -H 'Content-Type: image/png' {predict_key}{url}/predict
{about_key}
Press Ctrl-C to stop. A running training continues, and the next start follows it.

"""
_KEY = """
Requests for trainings, models and datasets need the API key, {where}:

  curl -sS -X POST {header} {url}/train
"""


def banner(url: str, access: Access) -> str:
    """The text, with a command for `/predict` and, if there is a key, a command that sends it."""
    picture = _PICTURE if Path.cwd() == ROOT else ROOT / _PICTURE
    if access.key is None:
        return _READY.format(url=url, picture=picture, predict_key="", about_key="")
    if access.key.path:
        where, value = f"which is in {access.key.path}", access.key.value
    else:
        where, value = f"which is ${keys.VARIABLE}", f"${keys.VARIABLE}"
    header = f'-H "Authorization: Bearer {value}"'
    about_key = _KEY.format(where=where, header=header, url=url)
    predict_key = "" if access.is_predict_open else f"{header} "
    return _READY.format(
        url=url, picture=picture, predict_key=predict_key, about_key=about_key
    )
