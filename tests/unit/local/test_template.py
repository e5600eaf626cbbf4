from pathlib import Path

import pytest

from local import template
from local.template import Function, Route, Template, TemplateError

ROOT = Path(__file__).parents[3]

STACK = """
AWSTemplateFormatVersion: 2010-09-09
Globals:
  Function:
    MemorySize: 512
    Environment: {Variables: {LEVEL: INFO, BUCKET: !Ref Bucket}}
  Api:
    BinaryMediaTypes: [application~1zip]
Resources:
  Api:
    Type: AWS::Serverless::Api
    Properties: {StageName: v1, BinaryMediaTypes: [Image/PNG]}
  Bucket: {Type: AWS::S3::Bucket}
  Reader:
    Type: AWS::Serverless::Function
    Metadata: {Dockerfile: functions/reader/Dockerfile, DockerContext: .}
    Properties:
      PackageType: Image
      ImageConfig: {Command: [app.handler]}
      Environment:
        Variables:
          LEVEL: DEBUG
          TTL: 30
          URL: !Sub "https://${Api}"
          NAME: !GetAtt Bucket.Arn
      Events:
        Read: {Type: Api, Properties: {RestApiId: !Ref Api, Path: /read, Method: post}}
  Writer:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: ./functions/writer/
      Handler: main.go
      MemorySize: 128
      Events:
        Any: {Type: Api, Properties: {Path: "/write/{name}", Method: any}}
        Note: {Type: EventBridgeRule, Properties: {Pattern: {source: [!Join [".", [aws, s3]]]}}}
"""


def read(folder: Path, text: str) -> Template:
    path = folder / "template.yaml"
    path.write_text(text)
    return template.read_template(path)


def test_image_and_zip_functions_are_found_with_their_literal_variables(
    tmp_path: Path,
) -> None:
    assert read(tmp_path, STACK).functions == {
        "Reader": Function(
            "Reader",
            "functions/reader",
            "app.handler",
            512,
            {"LEVEL": "DEBUG", "TTL": "30"},
        ),
        "Writer": Function(
            "Writer", "functions/writer", "main.go", 128, {"LEVEL": "INFO"}
        ),
    }


def test_only_api_events_are_routes(tmp_path: Path) -> None:
    assert read(tmp_path, STACK).routes == [
        Route("POST", "/read", "Reader"),
        Route("ANY", "/write/{name}", "Writer"),
    ]


def test_binary_media_types_are_those_of_the_api_and_of_all_apis(
    tmp_path: Path,
) -> None:
    assert read(tmp_path, STACK).binary_media_types == {"image/png", "application/zip"}


def test_a_function_is_found_by_its_folder(tmp_path: Path) -> None:
    stack = read(tmp_path, STACK)
    assert stack.function_in("functions/writer").name == "Writer"
    with pytest.raises(TemplateError, match="functions/other"):
        stack.function_in("functions/other")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("Resources: [", id="not YAML"),
        pytest.param("Resources: text", id="no resources"),
        pytest.param(
            "Resources: {F: {Type: AWS::Serverless::Function, Properties: {Handler: a.b}}}",
            id="no code",
        ),
        pytest.param("a: &a [*a, *a]\nb: !Ref {c: *a}", id="recursive"),
    ],
)
def test_a_file_that_is_not_a_template_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(TemplateError, match=r"template\.yaml"):
        read(tmp_path, text)


def test_a_missing_template_is_named(tmp_path: Path) -> None:
    with pytest.raises(TemplateError, match=r"nowhere\.yaml cannot be read"):
        template.read_template(tmp_path / "nowhere.yaml")


def test_every_function_of_this_project_has_its_handler() -> None:
    for function in template.read_template(ROOT / "template.yaml").functions.values():
        module, _, name = function.handler.rpartition(".")
        assert f"def {name}(" in (ROOT / function.folder / f"{module}.py").read_text(
            "utf-8"
        )
