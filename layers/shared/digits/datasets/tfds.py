"""The layout that TensorFlow Datasets reads (`tfds.builder_from_directory`), written down without importing it.

https://www.tensorflow.org/datasets/external_tfrecord
"""

from typing import Any, Literal, get_args

from digits.digit import CLASSES, SIDE
from digits.errors import DamagedObjectError

Split = Literal["train", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)

# Some 14 MB a file: small enough that a reader has several to read at once, large
# enough that opening costs nothing.
EXAMPLES_PER_SHARD = 16_384

FEATURES_FILE = "features.json"
INFO_FILE = "dataset_info.json"


def shard_lengths(examples: int) -> list[int]:
    """How many examples go into each file of a split: full files, and what is left in the last."""
    return [
        min(EXAMPLES_PER_SHARD, examples - start)
        for start in range(0, examples, EXAMPLES_PER_SHARD)
    ]


def shard_names(name: str, split: Split, shards: int) -> list[str]:
    """The names of a split's files, such as `mnist-train.tfrecord-00000-of-00004`."""
    return [
        f"{name}-{split}.tfrecord-{shard:05}-of-{shards:05}" for shard in range(shards)
    ]


def features() -> dict[str, Any]:
    """The content of features.json: how an example's bytes are to be read."""
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


def dataset_info(
    name: str, version: str, counts: dict[Split, int], example_bytes: int
) -> dict[str, Any]:
    """The content of dataset_info.json: which files there are, and what is in them.

    Args:
        name: the dataset's name.
        version: the dataset's version, such as `1.0.0`.
        counts: examples by split.
        example_bytes: size of one serialised example, without its framing.
    """
    splits = [
        {
            "name": split,
            "filepathTemplate": "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}",
            "numBytes": str(count * example_bytes),
            "shardLengths": [str(length) for length in shard_lengths(count)],
        }
        for split, count in counts.items()
    ]
    return {
        "name": name,
        "version": version,
        "description": "Handwritten digits, white on black.",
        "fileFormat": "tfrecord",
        "splits": splits,
        "supervisedKeys": {
            "tuple": {"items": [{"featureKey": "image"}, {"featureKey": "label"}]}
        },
    }


def shard_count(info: dict[str, Any], split: Split) -> int:
    """How many files a split has, by its dataset_info.json.

    Raises:
        DamagedObjectError: the document does not say.
    """
    try:
        return next(
            len(found["shardLengths"])
            for found in info["splits"]
            if found["name"] == split
        )
    except (KeyError, StopIteration, TypeError) as error:
        raise DamagedObjectError(
            f"{INFO_FILE} does not name the files of the split {split!r}."
        ) from error
