"""The study of a model, and the report on it."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from digits import documents
from digits.datasets.versions import DatasetVersion
from digits.models import manifests, releases
from digits.models.manifests import METRICS_FILE, MODEL_FILE, REPORT_FILE, Manifest
from digits.store import Store
from tests.integration.training.conftest import CREATED, TEST, TRAIN
from training.evaluation.baselines import load_baselines
from training.evaluation.evaluation_set import (
    EvaluationSet,
    SetPredictions,
    predict_evaluation_set,
)
from training.evaluation.figures import Figures
from training.evaluation.study import Study, measure_model
from training.input import Examples
from training.packaging.package import Package, make_manifest
from training.packaging.report import make_report, study_package
from training.pictures import non_digits, serving
from training.pictures.corruptions import CORRUPTIONS, MAX_SEVERITY

# Keras' own, with this NumPy.
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"
)

SHARE = {"share", "low", "high", "of"}


@pytest.fixture(scope="module")
def manifest(package: Package) -> Manifest:
    dataset = DatasetVersion("tiny", "1.0.0", {"train": TRAIN, "test": TEST}, "0" * 64)
    return make_manifest(package, dataset, {"architecture": "lab"}, CREATED)


StudyIn = Callable[[Store, Manifest], Study]


@pytest.fixture(scope="module")
def study_in(
    package: Package, evaluation_set: EvaluationSet, predictions: SetPredictions
) -> StudyIn:
    """Studies the package beside the models of a store."""

    def study(store: Store, manifest: Manifest) -> Study:
        return study_package(store, manifest, package, evaluation_set, predictions)

    return study


@pytest.fixture(scope="module")
def short_study(
    study_in: StudyIn, manifest: Manifest, tmp_path_factory: pytest.TempPathFactory
) -> Study:
    """The study of a store's first model."""
    return study_in(Store(tmp_path_factory.mktemp("store").as_uri()), manifest)


@pytest.fixture(scope="module")
def study(package: Package, test: Examples, manifest: Manifest) -> Study:
    """A study with a further set of non-digits."""
    pairs = [b"no PNG"]
    for index in range(9):
        pair = np.concatenate([test.images[index], test.images[index + 1]], axis=1)
        pairs.append(serving.encode_png(Image.fromarray(pair)))
    evaluation_set = EvaluationSet.draw(test, 10).with_non_digits({"<pairs>": pairs})
    model = package.exported_model(manifest.version)
    return measure_model(
        model,
        evaluation_set,
        predict_evaluation_set(model.tflite, evaluation_set),
        exports={"int8": model.tflite},
        baselines={},
    )


@pytest.fixture(scope="module")
def metrics(study: Study, manifest: Manifest) -> dict[str, Any]:
    """The content of `metrics.json`."""
    document: dict[str, Any] = json.loads(make_report(manifest, study)[METRICS_FILE])
    return document


def test_the_figures_agree_with_the_manifest(package: Package, study: Study) -> None:
    figures = study.figures
    assert figures.accuracy.share == package.metrics["accuracy"]
    assert figures.loss == package.metrics["loss"]
    assert figures.rejection.kept.share == package.metrics["kept"]
    assert figures.exports["int8"].bytes == len(package.files[MODEL_FILE])
    for digit, share in figures.digits.items():
        assert share.share == package.metrics[f"accuracy_{digit}"]


def test_the_figures_agree_with_each_other(study: Study, test: Examples) -> None:
    figures = study.figures
    accuracy = figures.accuracy
    assert accuracy.low < accuracy.share < accuracy.high
    assert np.sum(figures.confusion) == len(test)
    assert np.trace(figures.confusion) == round(accuracy.share * len(test))
    assert sum(group.count for group in figures.calibration.bins) == len(test)


def test_every_set_of_non_digits_is_measured(study: Study) -> None:
    rejection = study.figures.rejection
    assert rejection.sets.keys() == {*non_digits.REPORTED, "<pairs>"}
    assert rejection.sets["<pairs>"].rejected.of == 10
    scores = study.predictions.non_digit_scores
    assert scores["<pairs>"][0] == -np.inf
    rejected = np.mean(scores["blank"] < rejection.threshold)
    assert rejection.sets["blank"].rejected.share == rejected


def test_severe_corruptions_are_read_less_accurately(study: Study) -> None:
    corruptions = study.figures.corruptions
    accuracy = list(corruptions.accuracy.values())
    assert len(accuracy) == len(CORRUPTIONS)
    by_severity = np.array([each for each in accuracy if len(each) == MAX_SEVERITY])
    assert by_severity[:, 0].mean() > by_severity[:, -1].mean()
    mean = np.mean([np.mean(each) for each in accuracy])
    assert corruptions.mean == pytest.approx(mean)


def test_a_second_study_differs_only_in_the_timings(
    short_study: Study, study_in: StudyIn, manifest: Manifest, file_store: Store
) -> None:
    again = study_in(file_store, manifest).figures
    assert again.exports.keys() == {"int8", "float32"}
    assert replace(again, exports=short_study.figures.exports) == short_study.figures


def test_metrics_json_keeps_its_fields(metrics: dict[str, Any]) -> None:
    assert list(metrics) == [
        "version",
        "accuracy",
        "loss",
        "digits",
        "confusion",
        "calibration",
        "rejection",
        "corruptions",
        "pictures",
        "exports",
        "comparisons",
    ]
    assert metrics["accuracy"].keys() == SHARE
    assert metrics["digits"]["7"].keys() == SHARE
    assert metrics["calibration"].keys() == {"error", "bins"}
    first_bin = metrics["calibration"]["bins"][0]
    assert first_bin.keys() == {"count", "confidence", "accuracy"}
    rejection = metrics["rejection"]
    assert rejection.keys() == {"threshold", "kept", "sets"}
    assert rejection["kept"].keys() == SHARE
    letters = rejection["sets"]["letters"]
    assert letters.keys() == {"rejected", "auroc", "fpr_at_95_tpr"}
    assert letters["rejected"].keys() == SHARE
    assert metrics["corruptions"].keys() == {"digits", "mean", "accuracy"}
    assert len(metrics["corruptions"]["accuracy"]["fog"]) == 5
    assert metrics["pictures"].keys() == {"digits", "right", "accepted", "kinds"}
    assert metrics["pictures"]["kinds"]["scan"].keys() == {"right", "accepted"}
    assert metrics["exports"]["int8"].keys() == {"bytes", "milliseconds"}


def test_metrics_json_keeps_the_fields_of_a_comparison(
    package: Package, manifest: Manifest, study_in: StudyIn, file_store: Store
) -> None:
    publish_and_release(file_store, manifest, package)
    candidate = replace(manifest, version="another")
    report = make_report(candidate, study_in(file_store, candidate))
    comparison = json.loads(report[METRICS_FILE])["comparisons"]["the live model"]
    assert comparison.keys() == {"version", "accuracy", "only_this", "only_that", "p"}
    assert comparison["accuracy"].keys() == SHARE


def test_metrics_json_is_read_back(study: Study, manifest: Manifest) -> None:
    data = make_report(manifest, study)[METRICS_FILE]
    assert documents.parse_document(data, Figures, METRICS_FILE) == study.figures


def test_equal_figures_give_equal_bytes(study: Study, manifest: Manifest) -> None:
    assert make_report(manifest, study) == make_report(manifest, study)


def test_the_report_is_one_file_that_shows_the_mistakes(
    study: Study, manifest: Manifest
) -> None:
    page = make_report(manifest, study)[REPORT_FILE].decode()
    assert page.count("src=") == page.count('src="data:image/')
    assert "href=" not in page
    mistakes = len(study.test) - round(study.figures.accuracy.share * len(study.test))
    assert f"{mistakes:,} mistakes" in page
    assert page.count("image/png") == min(mistakes, 30)


def test_the_report_escapes_names(study: Study, manifest: Manifest) -> None:
    hostile = "<script>alert('1 & 2')</script>"
    names = replace(
        manifest,
        version=hostile,
        dataset=hostile,
        dataset_version=hostile,
        code_revision=hostile,
        parameters={hostile: hostile},
    )
    page = make_report(names, study)[REPORT_FILE].decode()
    assert page.count("&lt;script&gt;alert(&#39;1 &amp; 2&#39;)&lt;/script&gt;") == 7
    assert "<script" not in page
    assert "&lt;pairs&gt;" in page
    assert "<pairs>" not in page


def publish_and_release(store: Store, manifest: Manifest, package: Package) -> None:
    manifests.publish(store, manifest, package.files)
    releases.release(store, manifest.version, "by hand")


def test_a_model_is_compared_with_the_live_model_and_the_labs_network(
    package: Package, manifest: Manifest, study_in: StudyIn, file_store: Store
) -> None:
    publish_and_release(file_store, manifest, package)
    candidate = replace(manifest, version="another")
    comparisons = study_in(file_store, candidate).figures.comparisons
    assert comparisons.keys() == {"the live model", "the lab's network"}
    for comparison in comparisons.values():
        assert comparison.version == manifest.version
        assert (comparison.only_this, comparison.only_that) == (0, 0)
        assert comparison.p == 1


def test_a_model_is_not_compared_with_itself(
    package: Package, manifest: Manifest, file_store: Store
) -> None:
    publish_and_release(file_store, manifest, package)
    assert load_baselines(file_store, manifest) == {}


def test_a_damaged_model_is_no_baseline(
    package: Package, manifest: Manifest, file_store: Store
) -> None:
    publish_and_release(file_store, manifest, package)
    file_store.write(f"models/{manifest.version}/{MODEL_FILE}", b"no graph")
    assert load_baselines(file_store, replace(manifest, version="another")) == {}


def test_the_report_of_a_short_study_has_a_note(
    short_study: Study, manifest: Manifest
) -> None:
    page = make_report(manifest, short_study)[REPORT_FILE].decode()
    assert "the test split has 200 examples, so 4 of its" in page
    assert "From 5,000 examples on, 200 are." in page
    assert short_study.figures.rejection.sets["blank"].rejected.of == 100


@pytest.mark.parametrize("family", non_digits.REPORTED)
def test_a_grey_picture_is_preprocessed_as_its_png(family: str) -> None:
    for picture in non_digits.draw_reported(family, 5, seed=1):
        png = serving.encode_png(Image.fromarray(picture))
        direct, by_png = serving.preprocess(picture), serving.preprocess_png(png)
        assert direct.is_refused == by_png.is_refused
        np.testing.assert_array_equal(direct.digit, by_png.digit)
