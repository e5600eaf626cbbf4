"""The processes of functions behind the gateway."""

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.integration.local.api_gateway.conftest import assert_problem, predict
from tests.integration.local.conftest import Gateway, eventually, is_alive


def test_requests_run_in_parallel_and_get_their_own_answers(
    gateway: Gateway,
) -> None:
    def answer_number(number: int) -> Any:
        return predict(gateway, n=str(number), sleep="0.3").json()

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(answer_number, range(8)))
    for number, answer in enumerate(answers):
        assert answer["event"]["queryStringParameters"]["n"] == str(number)
    processes = {answer["about"]["pid"] for answer in answers}
    assert 1 <= len(processes) <= (os.cpu_count() or 1)
    if (os.cpu_count() or 1) > 1:
        assert len(processes) > 1


def test_an_idle_process_is_reused(gateway: Gateway) -> None:
    assert (
        predict(gateway).json()["about"]["pid"]
        == predict(gateway).json()["about"]["pid"]
    )


def test_a_handler_that_raises_is_logged_and_its_process_stays(
    gateway: Gateway,
) -> None:
    before = predict(gateway).json()["about"]["pid"]
    assert_problem(predict(gateway, fail="the reason"), 502)
    assert "ValueError: the reason" in gateway.log.read_text()
    assert predict(gateway).json()["about"]["pid"] == before


def test_a_process_that_dies_is_replaced(gateway: Gateway) -> None:
    before = predict(gateway).json()["about"]["pid"]
    assert_problem(predict(gateway, exit="3"), 502)
    assert predict(gateway).json()["about"]["pid"] != before


def test_a_process_killed_while_idle_is_replaced(gateway: Gateway) -> None:
    before = predict(gateway).json()["about"]["pid"]
    os.kill(before, signal.SIGKILL)
    eventually(lambda: not is_alive(before))
    assert predict(gateway).json()["about"]["pid"] != before


@pytest.mark.parametrize(
    "more", ['{"statusCode": "odd"}', '{"body": 5}', '{"headers": 7}']
)
def test_an_invalid_answer_is_a_bad_gateway(gateway: Gateway, more: str) -> None:
    assert_problem(predict(gateway, more=more), 502)


def test_an_answer_above_the_limit_of_lambda_is_a_bad_gateway(gateway: Gateway) -> None:
    answer = gateway.client.post(
        "/predict", content="x" * (9 << 20), headers={"Content-Type": "text/plain"}
    )
    assert_problem(answer, 502)
    assert predict(gateway).status_code == httpx.codes.OK


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_busy_functions_end_with_the_gateway(
    own_gateway: Gateway, how: signal.Signals
) -> None:
    with ThreadPoolExecutor(1) as threads:
        url = f"{own_gateway.url}/predict?sleep=60"
        waiting = threads.submit(httpx.get, url, timeout=70)
        pid_file = own_gateway.root / "functions" / "predict" / "pid"
        process = int(eventually(lambda: read_text(pid_file)))
        own_gateway.stop(how)
        eventually(lambda: not is_alive(process), 5)
        if how == signal.SIGKILL:
            assert isinstance(waiting.exception(), httpx.TransportError)
        else:
            assert_problem(waiting.result(), 502)
    assert "Traceback" not in own_gateway.log.read_text()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_temporary_files_are_removed_when_the_gateway_ends(
    own_gateway: Gateway, how: signal.Signals
) -> None:
    folder = Path(predict(own_gateway).json()["about"]["environment"]["TMPDIR"])
    (folder / "upload.npz").write_bytes(b"a")
    own_gateway.stop(how)
    eventually(lambda: not folder.exists(), 5)


def test_temporary_files_are_removed_when_the_process_ends(gateway: Gateway) -> None:
    about = predict(gateway).json()["about"]
    folder = Path(about["environment"]["TMPDIR"])
    (folder / "upload.npz").write_bytes(b"a")
    os.kill(about["pid"], signal.SIGKILL)
    eventually(lambda: not is_alive(about["pid"]))
    assert predict(gateway).json()["about"]["environment"]["TMPDIR"] != str(folder)
    assert not folder.exists()


def read_text(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def test_other_functions_serve_if_a_function_cannot_be_loaded(
    root: Path,
) -> None:
    (root / "functions" / "predict" / "app.py").write_text("import nothing_of_the_kind")
    gateway = Gateway(root)
    try:
        assert_problem(predict(gateway), 502)
        assert "nothing_of_the_kind" in gateway.log.read_text()
        assert gateway.client.get("/train/1").status_code == httpx.codes.OK
    finally:
        gateway.stop()
