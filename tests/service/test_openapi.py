"""The OpenAPI document: valid, of every live route and no other; a page that needs no network."""

import re

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from nncore.config import TrainConfig
from nncore.presets import PRESETS
from service.openapi.operations import OPERATIONS


@pytest.fixture
def document(client):
    return client.get("/openapi.json").json


def test_the_document_is_valid_openapi_3_1(document):
    assert document["openapi"].startswith("3.1")
    OpenAPIV31SpecValidator(document).validate()


def test_every_route_is_described_and_no_other(app):
    assert set(OPERATIONS) == {rule.endpoint for rule in app.url_map.iter_rules()}


def test_every_described_address_is_there_and_takes_the_described_methods_alone(client, document):
    for path, operations in document["paths"].items():
        concrete = re.sub(r"\{[^}]+\}", "x", path.replace("{filename}", "inkwell.css"))
        for method in ("get", "post", "put", "delete", "patch"):
            response = client.open(concrete, method=method.upper(), buffered=True)
            assert "There is nothing at" not in response.text, path
            assert (response.status_code == 405) == (method not in operations), (method, path)


def test_every_error_is_described_in_the_shape_of_its_family(document):
    schemas = {
        "/api/v1": "Problem",
        "/v1": "Error",
        "/v2": "Error",
        "/invocations": "MlflowError",
        "/predictions": "TorchServeError",
    }
    for path, operations in document["paths"].items():
        name = next((schemas[start] for start in schemas if path.startswith(start)), None)
        for operation in operations.values():
            for status, response in operation["responses"].items():
                if name and int(status) >= 400:
                    (media,) = response["content"].values()
                    assert media["schema"]["$ref"].endswith(f"/{name}")
                    assert name == "Problem" or status != "422"


def test_operations_have_ids_of_their_own(document):
    ids = [o["operationId"] for path in document["paths"].values() for o in path.values()]

    assert len(set(ids)) == len(ids)


def test_what_wants_the_token_says_so(document):
    wanting = {
        path
        for path, operations in document["paths"].items()
        for operation in operations.values()
        if operation.get("security")
    }

    assert wanting >= {
        "/api/v1/jobs",
        "/api/v1/models/{model}/aliases/{alias}",
        "/v2/repository/models/{model}/load",
        "/v2/repository/models/{model}/unload",
    }


@pytest.mark.parametrize("preset", PRESETS)
def test_the_schema_of_a_configuration_takes_what_the_service_takes(document, preset):
    validator = Draft202012Validator(document["components"]["schemas"]["TrainConfig"])
    short = {"model": "digits", "preset": preset}

    assert not list(validator.iter_errors(short))
    assert not list(validator.iter_errors(TrainConfig.from_dict(short).to_dict()))


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"model": 5},
        {"model": "digits", "epoch": 1},
        {"model": "digits", "optimizer": "adams"},
        {"model": "digits", "optimizer": {"type": "adam", "rate": 1}},
        {"model": "digits", "network": ["dense"]},
    ],
)
def test_the_schema_of_a_configuration_refuses_what_the_service_refuses(document, wrong):
    validator = Draft202012Validator(document["components"]["schemas"]["TrainConfig"])

    assert list(validator.iter_errors(wrong))


def test_the_page_names_every_address_and_needs_nothing_from_elsewhere(client, document):
    page = client.get("/docs")

    assert page.mimetype == "text/html"
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert not re.search(r"<script|<img|<link|@import|url\(|src=", page.text)
    links = re.findall(r'href="([^"]+)"', page.text)
    assert {link for link in links if not link.startswith("#")} == {"openapi.json"}
    anchors = set(re.findall(r'id="([^"]+)"', page.text))
    for path in document["paths"]:
        assert f"<code>{path}</code>" in page.text
    for name in document["components"]["schemas"]:
        assert name in anchors
