"""Schemathesis makes requests from the OpenAPI document and holds the answers to it."""

import subprocess
import sys
from pathlib import Path

import pytest

from nncore.registry import Registry
from tests.chaos.measures import SECONDS
from tests.conftest import publish
from tests.stack import TOKEN, Stack

pytestmark = pytest.mark.integration

EXAMPLES = 8 if SECONDS < 5 else 100  # of each address; `make chaos` takes more
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "unsupported_method",
    "allow_header_conformance",
)
PARAMETERS = """
[parameters]
"path.model" = "digits"
"path.version" = ["live", "1"]
"path.alias" = ["live", "canary"]
"""


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    """Redis and the service with a version. No worker: nothing that is posted is trained."""
    running = Stack(tmp_path_factory.mktemp("schemathesis"))
    publish(Registry(running.store))
    try:
        running.start_redis()
        running.start_service()
        yield running
    finally:
        running.stop()


def test_no_request_gets_a_500_or_an_answer_outside_the_document(stack, tmp_path):
    config = tmp_path / "schemathesis.toml"
    config.write_text(PARAMETERS)

    told = subprocess.run(
        [
            str(Path(sys.executable).with_name("st")),
            f"--config-file={config}",
            "run",
            f"{stack.url}/openapi.json",
            f"--header=Authorization: Bearer {TOKEN}",
            "--phases=examples,fuzzing",
            f"--max-examples={EXAMPLES}",
            "--seed=1",
            "--request-timeout=60",
            "--suppress-health-check=too_slow",
            f"--checks={','.join(CHECKS)}",
            # After it every model would rightly answer 503.
            "--exclude-path-regex=/unload$",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )

    assert told.returncode == 0, told.stdout
    assert "Unforeseen fault" not in stack.log("service")
