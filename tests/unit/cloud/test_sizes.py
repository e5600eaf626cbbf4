"""`make deploy` refuses sizes that AWS would refuse after the build."""

import pytest

from cloud import sam
from cloud.shell import CloudError
from cloud.sizes import FARGATE_MEMORY, check_sizes
from tests.conftest import ROOT

DEFAULTS = {
    "PredictRate": "50",
    "TrainingCompute": "FARGATE",
    "TrainingVcpus": "4",
    "TrainingMemory": "8192",
    "TrainingMaxVcpus": "16",
}


def test_the_defaults_of_the_template_are_accepted() -> None:
    declared = sam.read_template(ROOT / "template.yaml")["Parameters"]
    for name, value in DEFAULTS.items():
        assert str(declared[name]["Default"]) == value
    check_sizes(DEFAULTS)


def test_each_number_of_vcpus_of_the_template_has_memory() -> None:
    declared = sam.read_template(ROOT / "template.yaml")["Parameters"]
    assert list(FARGATE_MEMORY) == declared["TrainingVcpus"]["AllowedValues"]


@pytest.mark.parametrize(
    "changed",
    [
        {"TrainingVcpus": "8", "TrainingMemory": "20480"},
        {"TrainingVcpus": "16", "TrainingMemory": "122880"},
        {"TrainingCompute": "FARGATE_SPOT", "TrainingMemory": "30720"},
        {"TrainingCompute": "GPU", "TrainingMemory": "15000"},
        {"TrainingCompute": "GPU_SPOT", "TrainingVcpus": "8"},
        {"TrainingMaxVcpus": "4"},
    ],
)
def test_sizes_of_a_machine_are_accepted(changed: dict[str, str]) -> None:
    check_sizes(DEFAULTS | changed)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"PredictRate": "0.5"}, "PredictRate is 0.5. Set a whole number"),
        ({"TrainingMemory": "8 GB"}, "TrainingMemory is 8 GB. Set a whole number"),
        ({"TrainingVcpus": "3"}, "TrainingVcpus is 3. Set one of 1, 2, 4, 8, 16"),
        ({"TrainingMemory": "4096"}, "With 4 vCPUs, Fargate has 8192 to 30720 MiB"),
        ({"TrainingMemory": "8193"}, "in steps of 1024"),
        ({"TrainingVcpus": "8", "TrainingMemory": "17408"}, "in steps of 4096"),
        ({"TrainingMaxVcpus": "3"}, "Set at least 4, or lower TrainingVcpus"),
        ({"TrainingCompute": "GPU", "TrainingVcpus": "16"}, "TrainingVcpus is 16"),
        ({"TrainingCompute": "GPU", "TrainingMemory": "32768"}, "30720 MiB"),
    ],
)
def test_a_size_that_aws_would_refuse_is_refused(
    changed: dict[str, str], message: str
) -> None:
    with pytest.raises(CloudError, match=message):
        check_sizes(DEFAULTS | changed)
