"""Who gets in when other machines reach the server, or a proxy brings their requests."""

import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import need
from tests.integration.local.conftest import PROJECT, Gateway, lay_out, plan

KEY = "a-key-of-the-tests"
SENT = {"x-api-key": KEY}
NAMES = "digits.example.org, Other.example"
# Longer than any request that is answered at once.
TIMEOUT_SECONDS = 20


def own_address() -> str | None:
    """An address of this machine that others can reach. Nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return None
        return str(probe.getsockname()[0])


def addresses() -> Iterator[str]:
    yield "0.0.0.0"  # noqa: S104
    yield "127.0.0.2"
    yield "localhost"
    if own := own_address():
        yield own
    if Path("/proc/net/if_inet6").exists():
        yield from ("::", "::1")


@pytest.fixture(scope="module")
def exposed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway that other machines reach, with a key that was given."""
    folder = tmp_path_factory.mktemp("exposed")
    lay_out(folder)
    running = Gateway(folder, "0.0.0.0", DIGITS_API_KEY=KEY, DIGITS_ALLOWED_HOSTS=NAMES)  # noqa: S104
    yield running
    running.stop()


@pytest.fixture
def start(root: Path) -> Iterator[Callable[..., Gateway]]:
    """Starts gateways, one after the other."""
    started: list[Gateway] = []

    def start(host: str = "127.0.0.1", **variables: str) -> Gateway:
        started.append(Gateway(root, host, **variables))
        return started[-1]

    yield start
    for gateway in started:
        gateway.stop()


def assert_unauthorized(answer: httpx.Response) -> None:
    assert answer.status_code == HTTPStatus.UNAUTHORIZED
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.headers["content-type"] == "application/problem+json"


def ask(gateway: Gateway, **headers: str) -> httpx.Response:
    return gateway.client.get(
        "/train/newest",
        headers={name.replace("_", "-"): it for name, it in headers.items()},
    )


@pytest.mark.parametrize("host", [*addresses()])
def test_the_server_and_its_own_batch_answer_wherever_it_listens(
    start: Callable[..., Gateway], host: str
) -> None:
    gateway = start(host, DIGITS_API_KEY=KEY)
    assert httpx.URL(gateway.url).host not in ("0.0.0.0", "::")  # noqa: S104  no browser goes there
    assert gateway.client.post("/predict").status_code == HTTPStatus.OK
    plan(gateway.root, "job")
    submitted = gateway.batch.submit_job(
        jobName="job", jobQueue="local", jobDefinition="training"
    )
    assert gateway.batch.describe_jobs(jobs=[submitted["jobId"]])["jobs"]
    assert_unauthorized(ask(gateway))
    assert ask(gateway, **SENT).status_code == HTTPStatus.OK


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/predict", 200),
        ("POST", "/predict/", 200),
        ("OPTIONS", "/predict", 405),
        # There are none of these in the small project.
        ("GET", "/", 404),
        ("HEAD", "/", 404),
        ("GET", "/health", 404),
        ("GET", "/docs", 404),
        ("GET", "/openapi.json", 404),
    ],
)
def test_what_is_open_goes_without_the_key(
    exposed: Gateway, method: str, path: str, status: int
) -> None:
    assert exposed.client.request(method, path).status_code == status


def test_all_else_wants_the_key_and_the_answer_does_not_say_what_there_is(
    exposed: Gateway,
) -> None:
    requests = [
        ("GET", "/predict"),
        ("DELETE", "/predict"),
        ("POST", "/"),
        ("POST", "/train"),
        ("POST", "/train/"),
        ("OPTIONS", "/train"),
        ("GET", "/train/newest"),
        ("GET", "/train/nothing"),
        ("GET", "/nowhere"),
        ("GET", "//"),
        ("GET", "/health/../train/newest"),
        ("POST", "/predict/%2E%2E/train"),
        ("PUT", "/raw/mine.npz"),
        ("POST", "/_batch/v1/submitjob"),
        ("POST", "/_batch/x/v1/submitjob"),
        ("GET", "/pages/%00%FF"),
    ]
    url = exposed.url
    answers = [
        exposed.client.request(method, httpx.URL(url, raw_path=path.encode()))
        for method, path in requests
    ]
    for answer in answers:
        assert_unauthorized(answer)
    assert len({answer.text for answer in answers}) == 1
    assert_unauthorized(exposed.client.head("/train/newest"))


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": f"Bearer {KEY}"},
        {"Authorization": f"bearer  {KEY}"},
        {"x-api-key": KEY},
        {"X-API-Key": KEY, "Authorization": "Basic dXNlcjpwYXNz"},
        {"x-api-key": "wrong", "Authorization": f"Bearer {KEY}"},
    ],
)
def test_the_key_opens(exposed: Gateway, headers: dict[str, str]) -> None:
    assert ask(exposed, **headers).status_code == HTTPStatus.OK


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": KEY},
        {"Authorization": f"Basic {KEY}"},
        {"Authorization": f"Bearer {KEY}x"},
        {"Authorization": f"Bearer {KEY[:-1]}"},
        {"Authorization": f"Bearer {KEY}, {KEY}"},
        {"Authorization": "Bearer"},
        {"x-api-key": ""},
        {"x-api-key": KEY.upper()},
        {"x-api-key": b"\xff\xe9"},
    ],
)
def test_nothing_else_does(exposed: Gateway, headers: Any) -> None:
    assert_unauthorized(exposed.client.get("/train/newest", headers=headers))


def test_an_upload_without_the_key_is_refused_before_it_is_sent(
    exposed: Gateway,
) -> None:
    url = httpx.URL(exposed.url)
    with socket.create_connection(
        (url.host, url.port or 0), timeout=TIMEOUT_SECONDS
    ) as connection:
        connection.sendall(
            b"PUT /raw/mine.npz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 200000000\r\n\r\n"
        )
        assert connection.recv(1 << 16).startswith(b"HTTP/1.1 401 ")
    assert (
        exposed.client.put("/raw/mine.npz", content=b"npz", headers=SENT).status_code
        == HTTPStatus.OK
    )


def test_who_waits_for_a_training_sends_the_key_once(exposed: Gateway) -> None:
    states = exposed.root / "states"
    states.mkdir(exist_ok=True)
    (states / "waited").write_text('{"status": "SUCCEEDED"}')
    headers = {"Prefer": "wait=10", "Idempotency-Key": "waited"}
    assert_unauthorized(exposed.client.post("/train", headers=headers))
    assert exposed.client.post("/train", headers=headers | SENT).json() == {
        "status": "SUCCEEDED"
    }


def test_functions_and_trainings_do_not_get_the_key(exposed: Gateway) -> None:
    assert KEY not in exposed.variables().values()


def test_a_key_is_made_kept_and_told(start: Callable[..., Gateway]) -> None:
    need("curl")
    gateway = start("0.0.0.0")  # noqa: S104
    path = gateway.root / ".digits" / ".batch" / "api-key"
    key = path.read_text().strip()
    assert path.stat().st_mode & 0o777 == 0o600
    for _ in range(2):
        told = re.search(r"^  curl .*/train$", gateway.log.read_text(), re.MULTILINE)
        assert told
        assert key in told[0]
        command = told[0].replace("/train", "/train/newest").replace("POST", "GET")
        assert '"resource"' in subprocess.check_output(command, shell=True, text=True)  # noqa: S602  as a reader does
        gateway.stop()
        gateway.start()


def test_a_key_that_was_given_is_not_printed(exposed: Gateway) -> None:
    log = exposed.log.read_text()
    assert KEY not in log
    assert '-H "Authorization: Bearer $DIGITS_API_KEY"' in log


@pytest.mark.parametrize(
    "variables",
    [
        {"DIGITS_API_KEY": KEY},
        {"DIGITS_ALLOWED_HOSTS": "digits.example.org"},
        {"DIGITS_PREDICT_KEY": "required"},
    ],
)
def test_a_server_behind_a_proxy_wants_the_key(
    start: Callable[..., Gateway], variables: dict[str, str]
) -> None:
    assert_unauthorized(ask(start(**variables)))


def test_predictions_can_want_the_key_too(start: Callable[..., Gateway]) -> None:
    gateway = start(DIGITS_API_KEY=KEY, DIGITS_PREDICT_KEY="required")
    for path in ("/predict", "/predict/"):
        assert_unauthorized(gateway.client.post(path))
        assert gateway.client.post(path, headers=SENT).status_code == HTTPStatus.OK
    assert '-H "Authorization: Bearer $DIGITS_API_KEY" http' in gateway.log.read_text()


def refusal(root: Path, host: str = "127.0.0.1", **variables: str) -> str:
    """What the server says when it does not start."""
    command = [
        sys.executable,
        "-m",
        "local.cli",
        "serve",
        "--port",
        "0",
        "--host",
        host,
    ]
    settings = {
        "PYTHONPATH": f"{PROJECT}:{PROJECT / 'layers' / 'shared'}",
        "DIGITS_STORE": (root / "store").as_uri(),
    }
    ended = subprocess.run(
        command,
        cwd=PROJECT,
        env=settings | variables,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    assert ended.returncode == 1
    assert ended.stdout == ""
    (line,) = ended.stderr.splitlines()
    return line


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({"DIGITS_API_KEY": "fifteen-letters"}, "at least 16"),
        ({"DIGITS_API_KEY": "sixteen letters-"}, "without spaces"),
        ({"DIGITS_API_KEY": "a-key-with-an-é-in-it"}, "ASCII"),
        ({"DIGITS_API_KEY": "a-key-with\na-new-line"}, "DIGITS_API_KEY"),
        ({"DIGITS_PREDICT_KEY": "yes"}, "Set the variable to `required`"),
        (
            {"DIGITS_ALLOWED_HOSTS": "https://digits.example.org"},
            "without scheme and port",
        ),
        (
            {"DIGITS_ALLOWED_HOSTS": "a.example,digits.example.org:443"},
            "'digits.example.org:443'",
        ),
    ],
)
def test_a_setting_that_makes_no_sense_keeps_the_server_from_starting(
    tmp_path: Path, variables: dict[str, str], told: str
) -> None:
    assert told in refusal(tmp_path, **variables)


@pytest.mark.parametrize(
    "host", ["192.0.2.1", "no name", "", "127.0.0.1:80", "http://127.0.0.1"]
)
def test_an_address_that_is_not_this_machine_s_is_named(
    tmp_path: Path, host: str
) -> None:
    assert f"The address {host!r} cannot be used: " in refusal(tmp_path, host)


def test_a_key_file_that_holds_no_key_is_no_open_door(tmp_path: Path) -> None:
    path = tmp_path / "store" / ".batch" / "api-key"
    path.parent.mkdir(parents=True)
    for content in ("", "\n", "short"):
        path.write_text(content)
        assert f"{path} contains no API key" in refusal(tmp_path, "0.0.0.0")  # noqa: S104
    path.unlink()
    path.mkdir()
    assert "is a directory" in refusal(tmp_path, "0.0.0.0")  # noqa: S104


@pytest.mark.parametrize(
    "host",
    [
        "digits.example.org",
        "DIGITS.example.org:8443",
        "other.example:80",
        "localhost:1",
        "127.0.0.1",
        "192.168.7.7:3000",
        "[::1]:3000",
        "[fd00::7]",
    ],
)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_names_that_are_allowed_and_addresses_are_answered(
    exposed: Gateway, host: str, scheme: str
) -> None:
    headers = {"Host": host, "Origin": f"{scheme}://{host.lower()}"}
    assert exposed.client.post("/predict", headers=headers).status_code == HTTPStatus.OK


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "a.digits.example.org",
        "digits.example.org.",
        "example.org",
        "digits.example.orgs:80",
    ],
)
def test_another_name_is_refused_with_the_variable_that_allows_it(
    exposed: Gateway, host: str
) -> None:
    answer = exposed.client.post("/predict", headers={"Host": host})
    assert answer.status_code == HTTPStatus.FORBIDDEN
    assert f"DIGITS_ALLOWED_HOSTS={host.partition(':')[0]}." in answer.json()["detail"]
    assert (
        exposed.client.get("/train/newest", headers={"Host": host} | SENT).status_code
        == HTTPStatus.FORBIDDEN
    )


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "",
        "https://evil.example",
        "https://digits.example.org:8443",
        "https://digits.example.org/",
        "https://evil@digits.example.org",
        "ftp://digits.example.org",
        "digits.example.org",
        "https://other.example",
    ],
)
def test_pages_from_elsewhere_are_refused_even_with_the_key(
    exposed: Gateway, origin: str
) -> None:
    headers = {"Host": "digits.example.org", "Origin": origin}
    for answer in (
        exposed.client.post("/predict", headers=headers),
        exposed.client.options(
            "/train", headers=headers | {"Access-Control-Request-Method": "POST"}
        ),
        exposed.client.get("/train/newest", headers=headers | SENT),
    ):
        assert answer.status_code == HTTPStatus.FORBIDDEN
        assert "access-control-allow-origin" not in answer.headers


def test_any_name_can_be_allowed(start: Callable[..., Gateway]) -> None:
    gateway = start(DIGITS_API_KEY=KEY, DIGITS_ALLOWED_HOSTS="*")
    assert (
        gateway.client.post("/predict", headers={"Host": "any.example:1"}).status_code
        == HTTPStatus.OK
    )
    for host in ("", "a b", "any.example/", "user@any.example", "any.example:x"):
        assert (
            gateway.client.post("/predict", headers={"Host": host}).status_code
            == HTTPStatus.FORBIDDEN
        )


@pytest.mark.parametrize("host", ["192.168.7.7", "[fd00::7]:3000"])
def test_a_server_of_this_machine_alone_has_its_addresses_only(
    gateway: Gateway, host: str
) -> None:
    assert (
        gateway.client.post("/predict", headers={"Host": host}).status_code
        == HTTPStatus.FORBIDDEN
    )
    for own in ("[::1]:3000", "127.0.0.2"):
        assert (
            gateway.client.post("/predict", headers={"Host": own}).status_code
            == HTTPStatus.OK
        )
