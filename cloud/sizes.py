"""The sizes that AWS accepts. AWS checks them, too, but only after a build of minutes."""

from collections.abc import Mapping

from cloud.shell import CloudError

# In MiB, by vCPUs. https://docs.aws.amazon.com/batch/latest/APIReference/API_ResourceRequirement.html
FARGATE_MEMORY = {
    1: range(2048, 8192 + 1, 1024),
    2: range(4096, 16384 + 1, 1024),
    4: range(8192, 30720 + 1, 1024),
    8: range(16384, 61440 + 1, 4096),
    16: range(32768, 122880 + 1, 8192),
}
# The larger machines of template.yaml, g4dn.2xlarge and g5.2xlarge, have 8 vCPUs and 32 GiB,
# of which the operating system and the ECS agent need some.
GPU_VCPUS = 8
GPU_MEMORY = 30 * 1024


def check_sizes(parameters: Mapping[str, str]) -> None:
    """Check the sizes among the template's parameters.

    Raises:
        CloudError: AWS would refuse a size, or a training would never find a machine.
    """
    if not parameters["PredictRate"].isdecimal():
        raise CloudError(
            f"PredictRate is {parameters['PredictRate']}. Set a whole number: it is also"
            " the largest burst."
        )
    vcpus = int(parameters["TrainingVcpus"])
    memory = int(parameters["TrainingMemory"])
    if parameters["TrainingCompute"].startswith("GPU"):
        _check_gpu(vcpus, memory)
    else:
        _check_fargate(vcpus, memory)
    max_vcpus = int(parameters["TrainingMaxVcpus"])
    if max_vcpus < vcpus:
        raise CloudError(
            f"TrainingMaxVcpus is {max_vcpus}, but a training needs {vcpus}. Set at least"
            f" {vcpus}, or lower TrainingVcpus."
        )


def _check_fargate(vcpus: int, memory: int) -> None:
    allowed = FARGATE_MEMORY[vcpus]
    if memory not in allowed:
        raise CloudError(
            f"TrainingMemory is {memory}. With {vcpus} vCPUs, Fargate has {allowed[0]} to"
            f" {allowed[-1]} MiB in steps of {allowed.step}."
        )


def _check_gpu(vcpus: int, memory: int) -> None:
    if vcpus > GPU_VCPUS:
        raise CloudError(
            f"TrainingVcpus is {vcpus}. The largest GPU machine of the template has"
            f" {GPU_VCPUS}."
        )
    if memory > GPU_MEMORY:
        raise CloudError(
            f"TrainingMemory is {memory}. The largest GPU machine of the template has"
            f" {GPU_MEMORY} MiB for a training."
        )
