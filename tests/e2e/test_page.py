"""The page in a real browser, with a real mouse and a real service."""

import base64
import io
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from PIL import Image

from tests.e2e.browser import Browser
from tests.integration.bad_input import scene
from tests.integration.conftest import Service

EXAMPLE = Path(__file__).parents[2] / "example" / "8.png"
ANSWER_SECONDS = 15
# Stands in for a service that never answers. `requests` records the requests.
RECORD = """
    window.requests = [];
    window.fetch = (url, {signal}) => {
        requests.push({url, signal});
        return new Promise(() => {});
    };
"""
KEY = "a-key-of-the-tests"
ENTER, TAB = "\ue007", "\ue004"


@pytest.fixture(scope="module")
def driver() -> Iterator[httpx.Client]:
    program = shutil.which("chromedriver")
    if program is None:
        pytest.fail(
            "These tests need a browser. Run apt-get install chromium chromium-driver."
        )
    with subprocess.Popen(
        [program, "--port=0"], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        started = None
        while started is None:
            line = process.stdout.readline()
            assert line, "chromedriver has ended."
            started = re.search(r"on port (\d+)\.", line)
        port = started[1]
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
            yield client
        process.terminate()


@pytest.fixture
def page(driver: httpx.Client, service_url: str) -> Iterator[Browser]:
    browser = Browser(driver)
    browser.open(service_url)
    yield browser
    browser.quit()


@pytest.fixture(scope="module")
def keyed_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A service whose predictions need a key."""
    settings = {"DIGITS_API_KEY": KEY, "DIGITS_PREDICT_KEY": "required"}
    running = Service(tmp_path_factory.mktemp("keyed"), **settings)
    yield str(running.client.base_url)
    running.stop()
    running.client.close()


def draw_one(page: Browser) -> None:
    board = page.run("return document.querySelector('canvas').getBoundingClientRect()")
    x, y, side = board["x"], board["y"], board["width"]
    middle = round(x + side / 2)
    page.drag(*[(middle, round(y + side * tenth / 10)) for tenth in range(2, 9)])


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + ANSWER_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def wait_for(page: Browser, css: str) -> str:
    """The text of an element, once the text is not empty."""
    wait_until(lambda: page.text(css) != "")
    return page.text(css)


def test_a_drawn_one_is_read(page: Browser) -> None:
    draw_one(page)
    assert wait_for(page, "#digit") == "1"
    shares = re.findall(r"^(\d)\s+>?([\d.]+)%$", page.text("#bars"), re.MULTILINE)
    assert [digit for digit, _ in shares] == [*"0123456789"]
    assert max(shares, key=lambda share: float(share[1]))[0] == "1"
    assert re.search(
        r"Model \S+\nAnswered in \d+ ms · decode [\d.]+ ms · infer [\d.]+ ms",
        page.text("#meta"),
    )
    assert page.log() == []


def test_a_chosen_file_is_read(page: Browser) -> None:
    page.type("#file", str(EXAMPLE))
    assert wait_for(page, "#digit") == "8"


def test_a_dropped_file_is_read(page: Browser) -> None:
    png = base64.b64encode(EXAMPLE.read_bytes()).decode()
    page.run(f"""
        const dataTransfer = new DataTransfer();
        const bytes = Uint8Array.from(atob("{png}"), (letter) => letter.charCodeAt(0));
        dataTransfer.items.add(new File([bytes], "8.png", {{type: "image/png"}}));
        document.body.dispatchEvent(new DragEvent("drop", {{dataTransfer, bubbles: true}}));""")
    assert wait_for(page, "#digit") == "8"


def test_clear_resets_from_the_keyboard(page: Browser) -> None:
    draw_one(page)
    wait_for(page, "#digit")
    page.run("document.activeElement.blur()")
    page.press(TAB + ENTER)
    assert [page.text(css) for css in ("#digit", "#headline", "#meta")] == ["", "", ""]
    assert page.text("#bars").split() == [*"0123456789"]


def test_clear_forgets_a_stroke_that_was_not_sent(page: Browser) -> None:
    # The page itself clears, because a WebDriver command may take longer than the pause
    # before a drawing is sent.
    page.run(f"""
        {RECORD}
        const [board, clear] = document.querySelectorAll("canvas, #clear");
        board.addEventListener("lostpointercapture", () => clear.click());""")
    draw_one(page)
    time.sleep(0.5)
    assert page.run("return window.requests") == []


def test_a_new_stroke_aborts_the_running_request(page: Browser) -> None:
    page.run(RECORD)
    draw_one(page)
    wait_until(lambda: page.run("return window.requests.length") == 1)
    draw_one(page)
    wait_until(lambda: page.run("return window.requests.length") == 2)
    aborted = "return window.requests.map((request) => request.signal.aborted)"
    assert page.run(aborted) == [True, False]


@pytest.mark.parametrize("path", ["/v1", "/v1/"])
def test_the_request_stays_below_the_stage(page: Browser, path: str) -> None:
    page.run(RECORD + f"history.replaceState(null, '', '{path}')")
    draw_one(page)
    wait_until(lambda: page.run("return window.requests.length") == 1)
    assert page.run("return window.requests[0].url") == "/v1/predict?accept=any"


def test_a_non_digit_is_refused_and_named(page: Browser, tmp_path: Path) -> None:
    (tmp_path / "scene.png").write_bytes(scene())
    page.type("#file", str(tmp_path / "scene.png"))
    assert wait_for(page, "#headline") == "Not a digit"
    assert re.search(r"The closest digit is \d\.", page.text("#detail"))
    assert page.text("#digit") == ""
    assert page.text("#bars").split() == [*"0123456789"]


def test_a_refused_image_is_explained(page: Browser, tmp_path: Path) -> None:
    Image.new("L", (5000, 10)).save(tmp_path / "wide.png")
    page.type("#file", str(tmp_path / "wide.png"))
    assert wait_for(page, "#headline") == "Image too large"
    assert "5000" in page.text("#detail")
    assert page.text("#digit") == ""


def test_a_refusal_asks_for_the_api_key_and_sends_it(page: Browser) -> None:
    page.run("""
        window.fetch = async (_, {headers}) => {
          window.key = headers["x-api-key"];
          const problem = {title: "Refused by the gateway", detail: "Forbidden"};
          return Response.json(problem, {status: 403});
        }""")
    draw_one(page)
    assert wait_for(page, "#headline") == "API key needed"
    page.type("#key", "secret" + ENTER)
    wait_until(lambda: page.run("return window.key") == "secret")


def test_the_api_key_is_asked_for_until_it_is_right(
    page: Browser, keyed_url: str
) -> None:
    page.open(keyed_url)
    draw_one(page)
    assert wait_for(page, "#headline") == "API key needed"
    page.type("#key", "wrong" + ENTER)
    wait_until(lambda: page.text("#headline") == "Wrong API key")
    page.type("#key", KEY + ENTER)
    assert wait_for(page, "#digit") == "1"
    assert not page.run("return document.querySelector('#access').checkVisibility()")


def test_an_unreachable_service_is_reported(page: Browser) -> None:
    page.run("window.fetch = async () => { throw new TypeError('no network') }")
    draw_one(page)
    assert wait_for(page, "#headline") == "No answer"


def test_the_drawing_is_sent_as_a_small_png_in_mnists_colours(page: Browser) -> None:
    page.run("""
        window.fetch = async (url, {body}) => {
          window.sent = btoa(String.fromCharCode(...new Uint8Array(await body.arrayBuffer())));
          throw new Error();
        }""")
    draw_one(page)
    wait_for(page, "#headline")
    png = base64.b64decode(page.run("return window.sent"))
    assert len(png) < 10_000
    drawing = Image.open(io.BytesIO(png)).convert("L")
    assert drawing.size == (280, 280)
    background, ink = drawing.getpixel((0, 0)), drawing.getpixel((140, 140))
    assert (background, ink) == (0, 255)


def test_a_screen_320_pixels_wide_needs_no_sideways_scrolling(page: Browser) -> None:
    page.set_width(320)
    page.type("#file", str(EXAMPLE))
    wait_for(page, "#digit")
    assert page.run("return document.documentElement.scrollWidth") == 320
