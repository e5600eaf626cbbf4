"""What models are tried on, and what one makes of it. Each picture is drawn, and each model asked, only once."""

from collections.abc import Mapping
from dataclasses import dataclass

from digits.arrays import Floats
from training.evaluation import as_sent, samples
from training.evaluation.answers import Answers, litert_answers
from training.input import Examples
from training.pictures import non_digits, serving
from training.pictures.serving import Preprocessed


@dataclass(frozen=True)
class Pictures:
    """What models are tried on.

    Attributes:
        test: the test split.
        digits: how many of its digits are corrupted in each way, and rendered in each.
        others: what is found on non-digits that no network has learnt from, by family.
    """

    test: Examples
    digits: int
    others: Mapping[str, list[Preprocessed]]

    @classmethod
    def draw(cls, test: Examples, digits: int | None = None) -> "Pictures":
        """The same pictures each time, for the same arguments; without `digits`, as many as befit the test split."""
        count = digits or samples.digits(len(test))
        others = {
            family: [
                serving.preprocess(picture)
                for picture in non_digits.draw_reported(
                    family, samples.negatives(count), seed=0
                )
            ]
            for family in non_digits.REPORTED
        }
        return cls(test, count, others)


@dataclass(frozen=True)
class Trial:
    """What a model made of pictures.

    Attributes:
        answers: to the test split.
        scores: of the non-digits, by family.
    """

    answers: Answers
    scores: Mapping[str, Floats]


def try_on(model: bytes, pictures: Pictures, answers: Answers | None = None) -> Trial:
    """Show pictures to an exported model; its answers to the test split may be known."""
    scores = {
        family: as_sent.answers(model, found).scores
        for family, found in pictures.others.items()
    }
    return Trial(answers or litert_answers(model, pictures.test.images), scores)
