"""The template routes what the API's description has, and nothing else."""

import json
from pathlib import Path

import pytest

from local import template
from tests.conftest import ROOT, load_app

# The page and the description do not describe themselves.
NOT_DESCRIBED = {"GET /", "GET /docs", "GET /openapi.json"}


def routed() -> set[str]:
    routes = template.read_template(ROOT / "template.yaml").routes
    return {f"{route.method} {route.path}" for route in routes}


def test_the_readme_lists_each_route() -> None:
    readme = (ROOT / "README.md").read_text()
    assert [route for route in routed() if f"`{route}`" not in readme] == []


def test_the_template_has_each_route_of_the_description(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DIGITS_STORE", tmp_path.as_uri())
    document = load_app("train").app.get_openapi_json_schema()
    paths = json.loads(document)["paths"]
    described = {
        f"{method.upper()} {path}"
        for path, methods in paths.items()
        for method in methods
    }
    assert described | NOT_DESCRIBED == routed()
