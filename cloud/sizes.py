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
    # The rate of predictions is the largest burst, too, and API Gateway's bursts are whole.
    _whole_number(parameters, "PredictRate")
    vcpus = _whole_number(parameters, "TrainingVcpus")
    memory = _whole_number(parameters, "TrainingMemory")
    if parameters["TrainingCompute"].startswith("GPU"):
        _check_gpu(vcpus, memory)
    else:
        _check_fargate(vcpus, memory)
    max_vcpus = _whole_number(parameters, "TrainingMaxVcpus")
    if max_vcpus < vcpus:
        raise CloudError(
            f"TrainingMaxVcpus is {max_vcpus}, but a training needs {vcpus}. Set at least"
            f" {vcpus}, or lower TrainingVcpus."
        )


def _whole_number(parameters: Mapping[str, str], name: str) -> int:
    value = parameters[name]
    if not value.isdecimal():
        raise CloudError(f"{name} is {value}. Set a whole number.")
    return int(value)


def _check_fargate(vcpus: int, memory: int) -> None:
    if vcpus not in FARGATE_MEMORY:
        raise CloudError(
            f"TrainingVcpus is {vcpus}. Set one of {', '.join(map(str, FARGATE_MEMORY))}."
        )
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
