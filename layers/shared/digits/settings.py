"""Configuration, from environment variables only."""

import os
from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """Settings of the functions and the training container.

    Attributes:
        store: URL of the object store (`DIGITS_STORE`).
        release_ttl: seconds between two searches of a warm predict function for a newer
            release (`DIGITS_RELEASE_TTL`).
        job_queue: Batch queue of the trainings (`DIGITS_JOB_QUEUE`).
        job_definition: Batch job definition of the training container
            (`DIGITS_JOB_DEFINITION`).
        max_wait: the longest `Prefer: wait`, in seconds; API Gateway gives up after 29
            (`DIGITS_MAX_WAIT`).
        upload_path: the path for uploads to a store that cannot presign, which is a
            folder (`DIGITS_UPLOAD_PATH`).
    """

    store: str
    release_ttl: float
    job_queue: str
    job_definition: str
    max_wait: float
    upload_path: str

    @classmethod
    def from_environment(cls) -> "Settings":
        """Read the variables; only `DIGITS_STORE` has no default.

        Raises:
            KeyError: `DIGITS_STORE` is not set.
        """
        # In the cloud the variable is empty: the template only declares the variable, so
        # that `sam local` may set a value. Clients would take an empty value for a URL.
        if not os.environ.get("AWS_ENDPOINT_URL"):
            os.environ.pop("AWS_ENDPOINT_URL", None)
        return cls(
            store=os.environ["DIGITS_STORE"],
            release_ttl=float(os.environ.get("DIGITS_RELEASE_TTL", "30")),
            job_queue=os.environ.get("DIGITS_JOB_QUEUE", ""),
            job_definition=os.environ.get("DIGITS_JOB_DEFINITION", ""),
            max_wait=float(os.environ.get("DIGITS_MAX_WAIT", "25")),
            upload_path=os.environ.get("DIGITS_UPLOAD_PATH", ""),
        )
