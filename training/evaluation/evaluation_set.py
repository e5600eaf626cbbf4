"""The pictures that models are evaluated on, and a model's predictions for them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from digits.arrays import Floats
from training.evaluation import sample_sizes
from training.evaluation.predictions import (
    Predictions,
    litert_predictions,
    serving_predictions,
)
from training.input import Examples
from training.pictures import serving
from training.pictures.non_digits import REPORTED, draw_reported
from training.pictures.serving import Preprocessed


@dataclass(frozen=True)
class EvaluationSet:
    """The pictures that models are evaluated on.

    Attributes:
        test: the test split.
        digits_per_condition: how many of its digits are corrupted per corruption and
            severity, and rendered per kind of picture.
        non_digits: by family, as serving sees them. No network has learnt from them.
    """

    test: Examples
    digits_per_condition: int
    non_digits: Mapping[str, list[Preprocessed]]

    @classmethod
    def draw(
        cls, test: Examples, digits_per_condition: int | None = None
    ) -> "EvaluationSet":
        """The same pictures for the same arguments; as many as suit the test split by default."""
        digits = digits_per_condition or sample_sizes.digits_per_condition(len(test))
        count = sample_sizes.non_digits_per_family(digits)
        preprocessed = {}
        for family in REPORTED:
            pictures = draw_reported(family, count, seed=0)
            preprocessed[family] = [serving.preprocess(picture) for picture in pictures]
        return cls(test, digits, preprocessed)

    def with_non_digits(self, pngs: Mapping[str, list[bytes]]) -> "EvaluationSet":
        """The same pictures and further sets of non-digits, by name."""
        non_digits = dict(self.non_digits)
        for name, images in pngs.items():
            non_digits[name] = [serving.preprocess_png(png) for png in images]
        return replace(self, non_digits=non_digits)


@dataclass(frozen=True)
class SetPredictions:
    """A model's predictions for an evaluation set.

    Attributes:
        test: for the test split.
        non_digit_scores: (n,) float32 scores, by family of non-digits.
    """

    test: Predictions
    non_digit_scores: Mapping[str, Floats]


def predict_evaluation_set(
    model: bytes, evaluation_set: EvaluationSet, test: Predictions | None = None
) -> SetPredictions:
    """The predictions of a `model.tflite`, except those for the test split if they are known."""
    scores = {}
    for family, pictures in evaluation_set.non_digits.items():
        scores[family] = serving_predictions(model, pictures).scores
    if test is None:
        test = litert_predictions(model, evaluation_set.test.images)
    return SetPredictions(test, scores)
