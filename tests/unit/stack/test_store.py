"""The bucket: access, encryption and expiry of its objects."""

from typing import Any

from tests.stack import Stack

DATA = ("datasets/", "models/", "releases/")


def test_the_bucket_is_private(stack: Stack) -> None:
    blocks = stack.properties("Bucket")["PublicAccessBlockConfiguration"]
    assert list(blocks.values()) == [True] * 4
    (policy,) = stack.of_type("AWS::S3::BucketPolicy").values()
    assert policy["Bucket"] == "Bucket"
    for statement in policy["PolicyDocument"]["Statement"]:
        assert statement["Effect"] == "Deny"


def test_objects_are_encrypted_in_transit_and_at_rest(stack: Stack) -> None:
    (refusal,) = stack.properties("BucketPolicy")["PolicyDocument"]["Statement"]
    assert (refusal["Principal"], refusal["Action"]) == ("*", "s3:*")
    assert refusal["Resource"] == ["Bucket.Arn", "Bucket.Arn/*"]
    assert refusal["Condition"] == {"Bool": {"aws:SecureTransport": False}}
    configuration = stack.properties("Bucket")["BucketEncryption"]
    (encryption,) = configuration["ServerSideEncryptionConfiguration"]
    assert encryption["ServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}


def test_the_bucket_sends_events_to_eventbridge(stack: Stack) -> None:
    notifications = stack.properties("Bucket")["NotificationConfiguration"]
    assert notifications == {"EventBridgeConfiguration": {"EventBridgeEnabled": True}}


def test_replaced_and_deleted_objects_are_kept_for_30_days(stack: Stack) -> None:
    versioning = stack.properties("Bucket")["VersioningConfiguration"]
    assert versioning == {"Status": "Enabled"}
    (rule,) = rules(stack, "NoncurrentVersionExpiration")
    assert rule["NoncurrentVersionExpiration"]["NoncurrentDays"] == 30


def test_only_uploads_and_jobs_expire(stack: Stack) -> None:
    expiring: dict[str, int] = {}
    for rule in rules(stack, "ExpirationInDays"):
        expiring[rule["Prefix"]] = rule["ExpirationInDays"]
    assert expiring == {"raw/": 30, "jobs/": 90}
    for rule in stack.properties("Bucket")["LifecycleConfiguration"]["Rules"]:
        assert rule["Status"] == "Enabled"
        assert not rule.get("Prefix", "").startswith(DATA)


def test_unfinished_uploads_and_delete_markers_are_removed(stack: Stack) -> None:
    """S3 charges for parts of unfinished uploads, which no listing shows."""
    (unfinished,) = rules(stack, "AbortIncompleteMultipartUpload")
    assert unfinished["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"] <= 7
    with_markers = rules(stack, "ExpiredObjectDeleteMarker")
    assert any(rule["ExpiredObjectDeleteMarker"] for rule in with_markers)


def test_the_bucket_outlives_the_stack(stack: Stack) -> None:
    bucket = stack.resources["Bucket"]
    assert bucket["DeletionPolicy"] == "RetainExceptOnCreate"
    assert bucket["UpdateReplacePolicy"] == "Retain"


def rules(stack: Stack, kind: str) -> list[dict[str, Any]]:
    """The lifecycle rules that have the setting `kind`."""
    lifecycle = stack.properties("Bucket")["LifecycleConfiguration"]
    return [rule for rule in lifecycle["Rules"] if kind in rule]
