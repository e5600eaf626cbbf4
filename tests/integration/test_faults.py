"""Each fault of the proxy, as an HTTP client and as the store sees it."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import httpx
import pytest

from digits.errors import StoreError
from digits.store import Store
from tests.faults import Fault, FaultProxy

PATIENCE = timedelta(seconds=1)
# moto needs a signature, but does not check the signature.
SIGNATURE = (
    "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request,"
    " SignedHeaders=host, Signature=0"
)


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    with httpx.Client(headers={"Authorization": SIGNATURE}) as client:
        yield client


@pytest.fixture
def url(s3_store: Store, faults: FaultProxy) -> str:
    """An object with the bytes 0123456789, by way of the proxy."""
    s3_store.write("object", b"0123456789")
    return f"{faults.url}/{s3_store.url.removeprefix('s3://')}/object"


def test_a_request_without_a_rule_passes(
    url: str, client: httpx.Client, faults: FaultProxy
) -> None:
    faults.add(Fault.RESET, method="PUT")
    faults.add(Fault.RESET, key="another")
    answer = client.get(url)
    assert (answer.status_code, answer.content) == (200, b"0123456789")
    assert client.head(url).headers["content-length"] == "10"
    assert client.get(f"{url}s").status_code == 404
    assert client.delete(url).status_code == 204
    recorded = [(request.method, request.status) for request in faults.requests()]
    assert recorded == [("GET", 200), ("HEAD", 200), ("GET", 404), ("DELETE", 204)]
    faults.forget()
    assert not faults.requests()


@pytest.mark.parametrize(
    "fault",
    [
        Fault.INTERNAL_ERROR,
        Fault.SLOW_DOWN,
        Fault.TOO_MANY_REQUESTS,
        Fault.CONDITIONAL_CONFLICT,
        Fault.PRECONDITION_FAILED,
    ],
)
def test_an_error_has_the_format_of_s3_and_takes_no_effect(
    fault: Fault, url: str, client: httpx.Client, faults: FaultProxy
) -> None:
    faults.add(fault, times=1)
    answer = client.put(url, content=b"new")
    status, code = fault.value.split()
    assert answer.status_code == int(status)
    assert f"<Code>{code}</Code>" in answer.text
    assert client.get(url).content == b"0123456789"


@pytest.mark.parametrize(
    ("fault", "after"), [(Fault.RESET, b"0123456789"), (Fault.LOST_REPLY, b"new")]
)
def test_a_reset_may_take_effect(
    fault: Fault, after: bytes, url: str, client: httpx.Client, faults: FaultProxy
) -> None:
    faults.add(fault, method="PUT")
    with pytest.raises(httpx.ReadError):
        client.put(url, content=b"new")
    assert client.get(url).content == after
    (request,) = faults.requests("PUT")
    assert (request.status, request.faults) == (None, (fault,))


def test_a_truncated_answer_is_a_protocol_error(
    url: str, client: httpx.Client, faults: FaultProxy
) -> None:
    faults.add(Fault.TRUNCATED, times=1)
    with pytest.raises(httpx.RemoteProtocolError):
        client.get(url)
    assert client.get(url).content == b"0123456789"


def test_latency_precedes_another_fault(
    url: str, client: httpx.Client, faults: FaultProxy
) -> None:
    faults.add(Fault.LATENCY, seconds=0.2)
    faults.add(Fault.SLOW_DOWN)
    started = time.monotonic()
    assert client.get(url).status_code == 503
    assert time.monotonic() - started >= 0.2
    assert faults.requests()[0].faults == (Fault.LATENCY, Fault.SLOW_DOWN)


def test_a_hang_lasts_until_the_client_gives_up(
    url: str, client: httpx.Client, faults: FaultProxy
) -> None:
    faults.add(Fault.HANG)
    with pytest.raises(httpx.ReadTimeout):
        client.put(url, content=b"new", timeout=0.2)
    faults.clear()
    assert client.get(url).content == b"0123456789"


def test_a_hang_ends_with_the_proxy(moto_server: str) -> None:
    with ThreadPoolExecutor() as pool, FaultProxy(moto_server) as proxy:
        rule = proxy.add(Fault.HANG)
        request = pool.submit(httpx.get, proxy.url)
        while not rule.hits:
            time.sleep(0.01)
        proxy.__exit__()
        assert isinstance(request.exception(), httpx.TransportError)


def test_a_rule_draws_the_same_with_the_same_seed(
    url: str, client: httpx.Client, faults: FaultProxy
) -> None:
    def draws(seed: int) -> list[bool]:
        faults.clear()
        faults.add(Fault.SLOW_DOWN, probability=0.5, seed=seed)
        return [client.get(url).status_code == 503 for _ in range(12)]

    first = draws(1)
    assert set(first) == {True, False}
    assert first == draws(1)
    assert first != draws(2)


def test_a_rule_counts_its_hits_and_ends(
    url: str, client: httpx.Client, faults: FaultProxy
) -> None:
    rule = faults.add(Fault.SLOW_DOWN, key=r"/object\?tagging=a b$", times=2)
    statuses = [client.get(f"{url}?tagging=a%20b").status_code for _ in range(3)]
    assert statuses == [503, 503, 200]
    assert rule.hits == 2


@pytest.mark.parametrize(
    "fault", [Fault.SLOW_DOWN, Fault.INTERNAL_ERROR, Fault.RESET, Fault.LOST_REPLY]
)
def test_the_store_survives_one_fault(
    fault: Fault, faulty_store: Store, faults: FaultProxy
) -> None:
    rule = faults.add(fault, method="PUT|GET", key="/document", times=1)
    faulty_store.write("document", b"whole")
    assert faulty_store.read("document") == b"whole"
    assert rule.hits == 1
    assert len(faults.requests(key="/document")) == 3


def test_the_store_reports_a_lasting_fault(
    faulty_store: Store, faults: FaultProxy
) -> None:
    faults.add(Fault.SLOW_DOWN)
    impatient = Store(faulty_store.url, PATIENCE)
    with pytest.raises(StoreError, match="document"):
        impatient.read("document")


def test_the_store_writes_large_objects_through_the_proxy(
    faulty_store: Store, s3_store: Store
) -> None:
    with faulty_store.writer("large") as write:
        for _ in range(6):
            write(bytes(2 << 20))
    assert s3_store.read("large") == bytes(12 << 20)
