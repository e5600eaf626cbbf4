"""Chromium, driven over W3C WebDriver, which is JSON over HTTP."""

from typing import Any

import httpx

# The key that marks an element among JSON objects, by the WebDriver specification.
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
CAPABILITIES = {
    "browserName": "chrome",
    # Tests in a container run as root, for whom Chromium has no sandbox.
    "goog:chromeOptions": {
        "args": ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage"]
    },
    "goog:loggingPrefs": {"browser": "ALL"},
}


class Browser:
    """One WebDriver session; the methods are its commands (https://www.w3.org/TR/webdriver2/#endpoints)."""

    def __init__(self, driver: httpx.Client) -> None:
        self._driver = driver
        self._path = ""
        session = self._post("/session", capabilities={"alwaysMatch": CAPABILITIES})
        self._path = f"/session/{session['sessionId']}"

    def quit(self) -> None:
        self._driver.delete(self._path).raise_for_status()

    def open(self, url: str) -> None:
        self._post("/url", url=url)

    def run(self, script: str) -> Any:
        return self._post("/execute/sync", script=script, args=[])

    def text(self, css: str) -> str:
        return str(self.run(f"return document.querySelector('{css}').innerText"))

    def type(self, css: str, keys: str) -> None:
        element = self._post("/element", using="css selector", value=css)[ELEMENT]
        self._post(f"/element/{element}/value", text=keys)

    def press(self, keys: str) -> None:
        strokes = []
        for key in keys:
            strokes.append({"type": "keyDown", "value": key})
            strokes.append({"type": "keyUp", "value": key})
        self._act({"type": "key", "id": "keyboard", "actions": strokes})

    def drag(self, *points: tuple[int, int]) -> None:
        """Press the mouse button at the first point, in CSS pixels, and release it at the last."""
        first, *others = [
            {"type": "pointerMove", "x": x, "y": y, "duration": 50} for x, y in points
        ]
        moves = [
            first,
            {"type": "pointerDown", "button": 0},
            *others,
            {"type": "pointerUp", "button": 0},
        ]
        self._act({"type": "pointer", "id": "mouse", "actions": moves})

    def log(self) -> list[str]:
        return [entry["message"] for entry in self._post("/se/log", type="browser")]

    def set_width(self, pixels: int) -> None:
        metrics = {
            "width": pixels,
            "height": 800,
            "deviceScaleFactor": 2,
            "mobile": True,
        }
        self._post(
            "/goog/cdp/execute",
            cmd="Emulation.setDeviceMetricsOverride",
            params=metrics,
        )

    def _act(self, source: dict[str, Any]) -> None:
        self._post("/actions", actions=[source])

    def _post(self, command: str, **body: Any) -> Any:
        answer = self._driver.post(self._path + command, json=body)
        assert answer.is_success, answer.text
        return answer.json()["value"]
