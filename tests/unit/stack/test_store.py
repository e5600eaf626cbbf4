"""The bucket: who can get at what is in it, and what becomes of it in time."""

from typing import Any

from tests.stack import Stack

DATA = ("datasets/", "models/", "releases/")


def test_nobody_from_outside_reads_it(stack: Stack) -> None:
    bucket = stack.properties("Bucket")
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    assert len(bucket["PublicAccessBlockConfiguration"]) == 4
    (policy,) = stack.of_type("AWS::S3::BucketPolicy").values()
    assert policy["Bucket"] == "Bucket"
    assert {
        statement["Effect"] for statement in policy["PolicyDocument"]["Statement"]
    } == {"Deny"}


def test_nobody_reads_along(stack: Stack) -> None:
    (refusal,) = stack.properties("BucketPolicy")["PolicyDocument"]["Statement"]
    assert (refusal["Principal"], refusal["Action"]) == ("*", "s3:*")
    assert refusal["Resource"] == ["Bucket.Arn", "Bucket.Arn/*"]
    assert refusal["Condition"] == {"Bool": {"aws:SecureTransport": False}}
    (encryption,) = stack.properties("Bucket")["BucketEncryption"][
        "ServerSideEncryptionConfiguration"
    ]
    assert encryption["ServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}


def test_its_events_go_to_eventbridge(stack: Stack) -> None:
    notifications = stack.properties("Bucket")["NotificationConfiguration"]
    assert notifications == {"EventBridgeConfiguration": {"EventBridgeEnabled": True}}


def test_what_was_replaced_or_deleted_can_be_had_back_for_a_month(stack: Stack) -> None:
    assert stack.properties("Bucket")["VersioningConfiguration"] == {
        "Status": "Enabled"
    }
    days = [
        rule["NoncurrentVersionExpiration"]["NoncurrentDays"]
        for rule in rules(stack, "NoncurrentVersionExpiration")
    ]
    assert days == [30]


def test_only_uploads_and_jobs_go_by_themselves(stack: Stack) -> None:
    expiring = {
        rule["Prefix"]: rule["ExpirationInDays"]
        for rule in rules(stack, "ExpirationInDays")
    }
    assert expiring == {"raw/": 30, "jobs/": 90}
    for rule in stack.properties("Bucket")["LifecycleConfiguration"]["Rules"]:
        assert rule["Status"] == "Enabled"
        assert not rule.get("Prefix", "").startswith(DATA)


def test_nothing_is_paid_for_that_nobody_sees(stack: Stack) -> None:
    (unfinished,) = rules(stack, "AbortIncompleteMultipartUpload")
    assert unfinished["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"] <= 7
    assert any(
        rule["ExpiredObjectDeleteMarker"]
        for rule in rules(stack, "ExpiredObjectDeleteMarker")
    )


def test_it_outlives_the_stack(stack: Stack) -> None:
    bucket = stack.resources["Bucket"]
    assert (bucket["DeletionPolicy"], bucket["UpdateReplacePolicy"]) == (
        "RetainExceptOnCreate",
        "Retain",
    )


def rules(stack: Stack, kind: str) -> list[dict[str, Any]]:
    found = stack.properties("Bucket")["LifecycleConfiguration"]["Rules"]
    return [rule for rule in found if kind in rule]
