"""Ends of jobs: concurrent ends, lost replies, and deaths between the steps of an end."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from digits import jobs, outcomes
from digits.errors import ConflictError
from digits.jobs import Result
from digits.models import manifests, releases
from digits.models.manifests import Manifest
from digits.store import Store
from tests.faults import Fault, FaultProxy

VERSION = "20260131T101500Z-00000001"
DONE = Result(
    "SUCCEEDED",
    "Released",
    datetime(2026, 1, 31, tzinfo=UTC),
    0.99,
    VERSION,
    released=True,
)
CANCELLED = Result("FAILED", "Cancelled", datetime(2026, 1, 31, tzinfo=UTC))


@pytest.fixture(autouse=True)
def model(store: Store) -> None:
    publish(store)


def publish(store: Store) -> None:
    files = {"model.tflite": b"graph"}
    infos = {name: manifests.file_info(data) for name, data in files.items()}
    manifest = Manifest(VERSION, "mnist", "1.0.0", "abc", {}, {}, {"score": 0.5}, infos)
    manifests.publish(store, manifest, files)


def released(store: Store) -> list[str]:
    """The versions of all releases."""
    numbers = range(1, releases.newest_number(store) + 1)
    return [releases.load_release(store, number).version for number in numbers]


def test_a_success_is_released_and_recorded(store: Store) -> None:
    ended = outcomes.end_job(store, "job", DONE)
    assert ended == jobs.load_result(store, "job") == DONE
    assert released(store) == [VERSION]
    assert outcomes.end_job(store, "job", CANCELLED) == DONE


def test_a_cancelled_job_is_not_released_when_its_training_ends_later(
    store: Store,
) -> None:
    outcomes.end_job(store, "job", CANCELLED)
    assert outcomes.end_job(store, "job", DONE).reason == "Cancelled"
    assert released(store) == []


def test_a_cancellation_that_died_after_its_claim_decides(store: Store) -> None:
    jobs.claim_result(store, "job", CANCELLED)
    assert outcomes.end_job(store, "job", DONE).reason == "Cancelled"
    assert released(store) == []


def test_the_next_attempt_releases_a_success_that_died_after_its_claim(
    store: Store,
) -> None:
    jobs.claim_result(store, "job", DONE)
    assert jobs.load_result(store, "job") is None
    assert outcomes.end_job(store, "job", CANCELLED).released
    assert released(store) == [VERSION]


def test_a_repeated_training_does_not_undo_a_rollback_after_its_release(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("digits.jobs.record_result", die)
        with pytest.raises(KeyboardInterrupt):
            outcomes.end_job(store, "job", DONE)
    releases.release(store, manifests.BUNDLED, "worse on sevens")
    assert outcomes.end_job(store, "job", DONE).released
    assert released(store) == [VERSION, manifests.BUNDLED]


def test_a_job_ends_when_its_model_can_no_longer_be_released(
    store: Store,
) -> None:
    jobs.claim_result(store, "job", DONE)
    store.write(f"models/{VERSION}/model.tflite", b"grap")
    ended = outcomes.end_job(store, "job", DONE)
    assert (ended.status, ended.released) == ("SUCCEEDED", False)
    assert "cannot be released" in ended.reason
    assert released(store) == []


def test_only_one_of_concurrent_ends_decides(store: Store) -> None:
    wanted: list[Result] = []
    for number in range(4):
        wanted.append(replace(DONE, reason=f"done {number}"))
        wanted.append(replace(CANCELLED, reason=f"cancelled {number}"))

    def end(result: Result) -> Result:
        return outcomes.end_job(store, "job", result)

    with ThreadPoolExecutor(len(wanted)) as pool:
        first, *others = pool.map(end, wanted)
    assert {other.reason for other in others} == {first.reason}
    assert released(store) == [VERSION] * first.released


@pytest.mark.parametrize(
    "key", [r"claim\.json", r"releases/1\.json", r"result\.json", r"releases/\.newest"]
)
def test_a_lost_reply_makes_no_second_release(
    faults: FaultProxy, faulty_store: Store, key: str
) -> None:
    faults.add(Fault.LOST_REPLY, method="PUT", key=key, times=1)
    publish(faulty_store)
    ended = outcomes.end_job(faulty_store, "job", DONE)
    assert (ended.status, ended.released) == ("SUCCEEDED", True)
    assert released(faulty_store) == [VERSION]
    again = releases.release(faulty_store, VERSION, "by hand")
    faults.add(Fault.LOST_REPLY, method="PUT", key=r"releases/3\.json", times=1)
    rollback = releases.release(faulty_store, manifests.BUNDLED, "by hand")
    assert rollback.number == again.number + 1
    assert len(released(faulty_store)) == 3


DAMAGE: dict[str, Callable[[Store], None]] = {
    "cut": lambda store: store.write(f"models/{VERSION}/model.tflite", b"grap"),
    "missing": lambda store: store.delete(f"models/{VERSION}/model.tflite"),
    "manifest": lambda store: store.write(f"models/{VERSION}/manifest.json", b"{}"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_model_is_not_released(store: Store, damage: str) -> None:
    DAMAGE[damage](store)
    with pytest.raises(ConflictError, match="Release another model"):
        releases.release(store, VERSION, "try")
    assert releases.live_release(store) is None


def test_a_repeated_release_is_one_release(store: Store) -> None:
    first = releases.release(store, VERSION, "because")
    assert releases.release(store, VERSION, "because") == first
    assert releases.release(store, manifests.BUNDLED, "because").number == 2
    assert releases.release(store, VERSION, "because").number == 3


def test_a_lost_reply_does_not_fail_a_new_job(
    faults: FaultProxy, faulty_store: Store
) -> None:
    faults.add(Fault.LOST_REPLY, method="PUT", key=r"jobs/job/request\.json", times=1)
    request = jobs.Request("job", datetime.now(UTC), "mnist", "1.0.0", {})
    jobs.create_job(faulty_store, request)
    assert jobs.load_request(faulty_store, "job") == request
