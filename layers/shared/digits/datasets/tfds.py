"""The layout that `tfds.builder_from_directory` of TensorFlow Datasets reads.

https://www.tensorflow.org/datasets/external_tfrecord
"""

from typing import Any, Literal, get_args

from digits.digit import CLASSES, SIDE
from digits.errors import DamagedObjectError

Split = Literal["train", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)

# About 14 MB per file: small enough that a reader has several files to read at once,
# large enough that opening a file costs nothing.
EXAMPLES_PER_SHARD = 16_384

FEATURES_FILE = "features.json"
INFO_FILE = "dataset_info.json"


def shard_lengths(examples: int) -> list[int]:
    """The number of examples per file of a split: full files, and the rest in the last file."""
    starts = range(0, examples, EXAMPLES_PER_SHARD)
    return [min(EXAMPLES_PER_SHARD, examples - start) for start in starts]


def shard_names(name: str, split: Split, shards: int) -> list[str]:
    """The names of a split's files, such as `mnist-train.tfrecord-00000-of-00004`."""
    prefix = f"{name}-{split}.tfrecord"
    return [f"{prefix}-{shard:05}-of-{shards:05}" for shard in range(shards)]


def features_document() -> dict[str, Any]:
    """The content of features.json: how to read the bytes of an example."""
    prefix = "tensorflow_datasets.core.features"
    shape = {"dimensions": [str(SIDE), str(SIDE), "1"]}
    image = {
        "pythonClassName": f"{prefix}.tensor_feature.Tensor",
        "tensor": {"shape": shape, "dtype": "uint8", "encoding": "bytes"},
    }
    label = {
        "pythonClassName": f"{prefix}.class_label_feature.ClassLabel",
        "classLabel": {"numClasses": str(CLASSES)},
    }
    return {
        "pythonClassName": f"{prefix}.features_dict.FeaturesDict",
        "featuresDict": {"features": {"image": image, "label": label}},
    }


def info_document(
    name: str, version: str, counts: dict[Split, int], example_bytes: int
) -> dict[str, Any]:
    """The content of dataset_info.json: which files the version has, and how many examples.

    Args:
        name: the dataset's name.
        version: the dataset's version, such as `1.0.0`.
        counts: examples per split.
        example_bytes: size of one serialised example, without its framing.
    """
    splits = []
    for split, count in counts.items():
        document = {
            "name": split,
            "filepathTemplate": "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}",
            "numBytes": str(count * example_bytes),
            "shardLengths": list(map(str, shard_lengths(count))),
        }
        splits.append(document)
    supervised = [{"featureKey": "image"}, {"featureKey": "label"}]
    return {
        "name": name,
        "version": version,
        "description": "Handwritten digits, white on black.",
        "fileFormat": "tfrecord",
        "splits": splits,
        "supervisedKeys": {"tuple": {"items": supervised}},
    }


def shard_count(info: dict[str, Any], split: Split) -> int:
    """The number of files of a split.

    Args:
        info: the content of dataset_info.json.
        split: the split.

    Raises:
        DamagedObjectError: the document does not name the split's files.
    """
    try:
        lengths = {entry["name"]: entry["shardLengths"] for entry in info["splits"]}
        return len(lengths[split])
    except (KeyError, TypeError) as error:
        raise DamagedObjectError(
            f"{INFO_FILE} does not name the files of the split {split!r}."
        ) from error
