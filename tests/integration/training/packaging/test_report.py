"""The study of a model, and the report on it."""

import json
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from digits.datasets.versions import DatasetVersion
from digits.models import manifests, releases
from digits.models.manifests import (
    METRICS_FILE,
    MODEL_FILE,
    REPORT_FILE,
    SCORE,
    Manifest,
)
from digits.store import Store
from tests.integration.training.conftest import CREATED, TEST, TRAIN
from training.evaluation import baselines
from training.evaluation.study import Study, study
from training.evaluation.trial import Pictures, Trial
from training.input import Examples
from training.packaging import report
from training.packaging.package import Package, describe
from training.pictures import non_digits, serving

# Keras' own, with this NumPy.
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"
)


@pytest.fixture(scope="module")
def manifest(package: Package) -> Manifest:
    dataset = DatasetVersion("tiny", "1.0.0", {"train": TRAIN, "test": TEST}, "0" * 64)
    return describe(package, dataset, {"architecture": "lab"}, CREATED)


ReportOn = Callable[[Store, Manifest], dict[str, bytes]]


@pytest.fixture(scope="module")
def report_on(package: Package, pictures: Pictures, trial: Trial) -> ReportOn:
    return lambda store, manifest: report.on(store, manifest, package, pictures, trial)


@pytest.fixture(scope="module")
def reported(
    report_on: ReportOn, manifest: Manifest, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, bytes]:
    """The report on the first model of a store."""
    return report_on(Store(tmp_path_factory.mktemp("store").as_uri()), manifest)


@pytest.fixture(scope="module")
def found(package: Package, test: Examples) -> Study:
    model = package.files[MODEL_FILE]
    others = {
        "<pairs>": [b"no PNG", *(serving.encode_png(image) for image in _pairs(test))]
    }
    return study(
        model,
        package.thresholds[SCORE],
        test,
        count=10,
        exports={"int8": model},
        rivals={},
        others=others,
    )


def _pairs(test: Examples) -> list[Image.Image]:
    return [
        Image.fromarray(np.concatenate(list(test.images[i : i + 2]), axis=1))
        for i in range(9)
    ]


def test_the_figures_agree_with_the_manifest_and_one_another(
    package: Package, found: Study, test: Examples
) -> None:
    figures = found.figures
    assert figures["accuracy"]["share"] == package.metrics["accuracy"]
    assert (
        figures["accuracy"]["low"]
        < figures["accuracy"]["share"]
        < figures["accuracy"]["high"]
    )
    assert figures["loss"] == package.metrics["loss"]
    assert np.sum(figures["confusion"]) == len(test)
    assert np.trace(figures["confusion"]) == round(
        figures["accuracy"]["share"] * len(test)
    )
    of_digits = {
        f"accuracy_{digit}": it["share"] for digit, it in figures["digits"].items()
    }
    assert of_digits.items() <= package.metrics.items()
    assert figures["rejection"]["kept"]["share"] == package.metrics["kept"]
    assert sum(it["count"] for it in figures["calibration"]["bins"]) == len(test)
    assert figures["exports"]["int8"]["bytes"] == len(package.files[MODEL_FILE])


def test_every_set_of_others_is_tried(found: Study) -> None:
    sets = found.figures["rejection"]["sets"]
    assert sets.keys() == {*non_digits.REPORTED, "<pairs>"}
    assert sets["<pairs>"]["rejected"]["of"] == 10
    assert found.scores["<pairs>"][0] == -np.inf
    threshold = found.figures["rejection"]["threshold"]
    assert sets["blank"]["rejected"]["share"] == np.mean(
        found.scores["blank"] < threshold
    )


def test_what_is_damaged_more_is_read_less(found: Study) -> None:
    accuracy = np.array(list(found.figures["corruptions"]["accuracy"].values()))
    assert accuracy.shape == (15, 5)
    assert accuracy[:, 0].mean() > accuracy[:, -1].mean()
    assert found.figures["corruptions"]["mean"] == pytest.approx(accuracy.mean())


def test_a_study_is_the_same_each_time_but_for_what_is_timed(
    reported: dict[str, bytes],
    found: Study,
    manifest: Manifest,
    report_on: ReportOn,
    file_store: Store,
) -> None:
    first, again = (
        json.loads(files[METRICS_FILE])
        for files in (reported, report_on(file_store, manifest))
    )
    for figures in (first, again):
        assert figures.pop("exports").keys() == {"int8", "float32"}
    assert first == again
    assert first["confusion"] == found.figures["confusion"]


def test_the_report_is_one_file_that_shows_the_mistakes(
    found: Study, manifest: Manifest
) -> None:
    files = report.files(manifest, found)
    page = files[REPORT_FILE].decode()
    assert page.count("src=") == page.count('src="data:image/')
    assert "href=" not in page
    wrong = len(found.test) - round(
        found.figures["accuracy"]["share"] * len(found.test)
    )
    assert f"{wrong:,} mistakes" in page
    assert page.count("image/png") == min(wrong, 30)
    assert "&lt;pairs&gt;" in page
    assert "<pairs>" not in page
    assert json.loads(files[METRICS_FILE])["version"] == manifest.version


def test_a_model_is_compared_with_the_live_one_and_the_labs(
    package: Package, manifest: Manifest, report_on: ReportOn, file_store: Store
) -> None:
    manifests.publish(file_store, manifest, package.files)
    releases.release(file_store, manifest.version, "try")
    candidate = replace(
        manifest, version=manifests.version_name(CREATED, {"another": b""})
    )
    figures = json.loads(report_on(file_store, candidate)[METRICS_FILE])
    assert {name: it["version"] for name, it in figures["comparisons"].items()} == {
        "the live model": manifest.version,
        "the lab's network": manifest.version,
    }
    assert {
        (it["only_this"], it["only_that"], it["p"])
        for it in figures["comparisons"].values()
    } == {(0, 0, 1.0)}
    assert baselines.find(file_store, manifest) == {}


def test_a_damaged_model_is_no_rival(
    package: Package, manifest: Manifest, file_store: Store
) -> None:
    manifests.publish(file_store, manifest, package.files)
    releases.release(file_store, manifest.version, "try")
    file_store.write(f"models/{manifest.version}/{MODEL_FILE}", b"no graph")
    assert baselines.find(file_store, replace(manifest, version="another")) == {}


def test_a_short_study_says_so(reported: dict[str, bytes], found: Study) -> None:
    page = reported[REPORT_FILE].decode()
    assert (
        "the test split has 200 examples, so 4 of its digits were corrupted and rendered in each way"
        in page
    )
    assert "From 5,000 examples on, 200 are." in page
    assert found.figures["rejection"]["sets"]["blank"]["rejected"]["of"] == 100


def test_a_grey_picture_is_found_as_its_png_is() -> None:
    pictures = [
        picture
        for family in non_digits.REPORTED
        for picture in non_digits.draw_reported(family, 5, seed=1)
    ]
    for picture in pictures:
        direct, by_png = (
            serving.preprocess(picture),
            serving.preprocess_png(serving.encode_png(Image.fromarray(picture))),
        )
        assert direct.is_refused == by_png.is_refused
        np.testing.assert_array_equal(direct.digit, by_png.digit)
