"""NVIDIA's own client, unmodified, against the running service: its whole HTTP surface."""

import asyncio

import numpy as np
import pytest
import tritonclient.http as httpclient
from tritonclient.http import aio
from tritonclient.utils import InferenceServerException

from nncore.registry import Registry
from tests.conftest import classifier_of, publish
from tests.stack import TOKEN, Stack

pytestmark = pytest.mark.integration

ADMIN = {"Authorization": f"Bearer {TOKEN}"}
LABELS = [str(digit).encode() for digit in range(10)]


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    """The service in two processes, with two versions: 1 is live, 2 is the canary."""
    running = Stack(tmp_path_factory.mktemp("triton"))
    registry = Registry(running.store)
    publish(registry)
    publish(registry, seed=2, live=False)
    registry.promote("digits", 2, alias="canary", reason="test")
    try:
        running.start_service()
        yield running
    finally:
        running.stop()


@pytest.fixture
def client(stack):
    with httpclient.InferenceServerClient(f"127.0.0.1:{stack.port}") as client:
        yield client


@pytest.fixture
def classifier(stack):
    return classifier_of(Registry(stack.store), 1)


def image_input(array, datatype, *, binary=True):
    return httpclient.InferInput("images", array.shape, datatype).set_data_from_numpy(
        array, binary_data=binary
    )


def test_server_and_model_are_live_and_ready(client):
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("digits")
    assert client.is_model_ready("digits", "2")
    assert not client.is_model_ready("digits", "7")
    assert not client.is_model_ready("nope")


def test_metadata_and_configuration_say_what_goes_in_and_out(client):
    server = client.get_server_metadata()
    model = client.get_model_metadata("digits")
    config = client.get_model_config("digits", "2")

    assert server["name"] == "inkwell"
    assert {"binary_tensor_data", "classification", "statistics"} <= set(server["extensions"])
    assert model["versions"] == ["1", "2"]
    assert model["inputs"] == [{"name": "images", "datatype": "UINT8", "shape": [-1, 784]}]
    assert [(o["name"], o["datatype"], o["shape"]) for o in model["outputs"]] == [
        ("probabilities", "FP32", [-1, 10]),
        ("label", "BYTES", [-1]),
        ("probability", "FP32", [-1]),
    ]
    assert config["max_batch_size"] == 10_000
    assert config["input"] == [{"name": "images", "data_type": "TYPE_UINT8", "dims": [784]}]


@pytest.mark.parametrize("binary_input", [True, False])
@pytest.mark.parametrize("binary_output", [True, False])
@pytest.mark.parametrize(
    ("datatype", "as_sent"),
    [
        ("UINT8", lambda p: p),
        ("FP32", lambda p: p / np.float32(255)),
        ("FP64", lambda p: p / 255),
        ("INT64", lambda p: p.astype(np.int64)),
    ],
)
def test_every_datatype_and_encoding_gets_the_same_bits(
    client, classifier, pixels, datatype, as_sent, binary_input, binary_output
):
    expected = classifier.probabilities(pixels)
    wanted = [
        httpclient.InferRequestedOutput(name, binary_data=binary_output)
        for name in ("label", "probabilities", "probability")
    ]

    result = client.infer(
        "digits",
        [image_input(as_sent(pixels), datatype, binary=binary_input)],
        outputs=wanted,
        request_id="7",
    )

    assert result.as_numpy("probabilities").tobytes() == expected.tobytes()
    assert result.as_numpy("probability").tobytes() == expected.max(axis=1).tobytes()
    labels = [label if binary_output else label.encode() for label in result.as_numpy("label")]
    assert labels == [LABELS[c] for c in expected.argmax(axis=1)]
    assert result.get_response()["id"] == "7"
    assert result.get_response()["model_version"] == "1"


def test_without_named_outputs_all_come_as_bytes(client, classifier, pixels):
    result = client.infer("digits", [image_input(pixels, "UINT8")])

    assert result.as_numpy("probabilities").tobytes() == classifier.probabilities(pixels).tobytes()
    assert result.as_numpy("label").shape == (12,)
    assert "parameters" in result.get_output("probability")


def test_a_version_can_be_asked(client, stack, pixels):
    expected = classifier_of(Registry(stack.store), 2).probabilities(pixels)

    for version in ("2", "canary"):
        result = client.infer("digits", [image_input(pixels, "UINT8")], model_version=version)
        assert result.as_numpy("probabilities").tobytes() == expected.tobytes()
        assert result.get_response()["model_version"] == "2"


@pytest.mark.parametrize("binary", [True, False])
def test_the_best_classes_come_as_value_index_label(client, classifier, pixels, binary):
    row = classifier.probabilities(pixels)[0]
    wanted = httpclient.InferRequestedOutput("probabilities", binary_data=binary, class_count=3)

    result = client.infer("digits", [image_input(pixels, "UINT8")], outputs=[wanted])

    classes = result.as_numpy("probabilities")
    assert classes.shape == (12, 3)
    best = classes[0, 0].decode() if binary else classes[0, 0]
    value, index, label = best.split(":")
    assert (np.float32(value), int(index), label) == (row.max(), row.argmax(), str(row.argmax()))


@pytest.mark.parametrize("algorithm", ["gzip", "deflate"])
def test_requests_may_be_compressed(client, classifier, pixels, algorithm):
    result = client.infer(
        "digits",
        [image_input(pixels, "UINT8")],
        request_compression_algorithm=algorithm,
        response_compression_algorithm=algorithm,
    )

    assert result.as_numpy("probabilities").tobytes() == classifier.probabilities(pixels).tobytes()


def test_reserved_and_custom_parameters_do_no_harm(client, pixels):
    result = client.infer(
        "digits",
        [image_input(pixels, "UINT8")],
        sequence_id=5,
        sequence_start=True,
        priority=1,
        timeout=1000,
        parameters={"mine": "x"},
    )

    assert result.as_numpy("probabilities").shape == (12, 10)


def test_requests_may_run_at_once(stack, pixels, classifier):
    expected = classifier.probabilities(pixels).tobytes()
    with httpclient.InferenceServerClient(f"127.0.0.1:{stack.port}", concurrency=4) as client:
        running = [client.async_infer("digits", [image_input(pixels, "UINT8")]) for _ in range(20)]
        results = [request.get_result() for request in running]

    assert {result.as_numpy("probabilities").tobytes() for result in results} == {expected}


def test_bodies_made_and_read_apart_from_the_client_work(stack, classifier, pixels):
    body, length = httpclient.InferenceServerClient.generate_request_body(
        [image_input(pixels, "UINT8")]
    )

    response = stack.client.post(
        "/v2/models/digits/infer",
        content=body,
        headers={"Inference-Header-Content-Length": str(length)},
    )

    result = httpclient.InferenceServerClient.parse_response_body(
        response.content, header_length=int(response.headers["Inference-Header-Content-Length"])
    )
    assert result.as_numpy("probabilities").tobytes() == classifier.probabilities(pixels).tobytes()


def test_a_model_can_be_unloaded_and_loaded_in_all_processes(client, pixels):
    with pytest.raises(InferenceServerException, match="INKWELL_ADMIN_TOKEN"):
        client.unload_model("digits")

    client.unload_model("digits", headers=ADMIN)
    try:
        assert [client.is_model_ready("digits") for _ in range(20)] == [False] * 20
        assert client.get_model_repository_index()[0]["state"] == "UNAVAILABLE"
        with pytest.raises(InferenceServerException, match="is unloaded"):
            client.infer("digits", [image_input(pixels, "UINT8")])
    finally:
        client.load_model("digits", headers=ADMIN)

    assert [client.is_model_ready("digits") for _ in range(20)] == [True] * 20
    assert client.get_model_repository_index() == [
        {"name": "digits", "version": "1", "state": "READY", "reason": ""}
    ]


def count(client):
    (model,) = client.get_inference_statistics("digits", "1")["model_stats"]
    stats = model["inference_stats"]
    return model["inference_count"], stats["success"]["count"], stats["fail"]["count"]


def test_statistics_count_what_all_processes_did(stack, client, pixels):
    rows, successes, failures = count(client)

    for _ in range(10):  # a connection each, so that both processes get some
        with httpclient.InferenceServerClient(f"127.0.0.1:{stack.port}") as other:
            other.infer("digits", [image_input(pixels, "UINT8")])
            with pytest.raises(InferenceServerException):
                other.infer("digits", [image_input(pixels[:, 1:], "UINT8")])

    assert count(client) == (rows + 120, successes + 10, failures + 10)
    everything = client.get_inference_statistics()["model_stats"]
    assert {model["version"] for model in everything} <= {"1", "2"}
    stats = client.get_inference_statistics("digits")["model_stats"][0]["inference_stats"]
    steps = ("compute_input", "compute_infer", "compute_output")
    assert 0 < sum(stats[step]["ns"] for step in steps) <= stats["success"]["ns"]


def test_what_is_wrong_is_told_as_the_client_expects(client, pixels):
    for model, version, words in (
        ("nope", "", "There is no model 'nope'"),
        ("digits", "7", "has no version 7"),
    ):
        with pytest.raises(InferenceServerException, match=words) as told:
            client.infer(model, [image_input(pixels, "UINT8")], model_version=version)
        assert told.value.status() == "404"
    with pytest.raises(InferenceServerException, match="from 0 to 1; got") as told:
        client.infer("digits", [image_input(pixels.astype(np.float32), "FP32")])
    assert told.value.status() == "400"


@pytest.mark.parametrize(
    "call",
    [
        lambda c: c.get_trace_settings(),
        lambda c: c.get_trace_settings("digits"),
        lambda c: c.update_trace_settings(settings={"trace_rate": "1"}),
        lambda c: c.get_log_settings(),
        lambda c: c.update_log_settings({"log_verbose_level": 1}),
        lambda c: c.get_system_shared_memory_status(),
        lambda c: c.register_system_shared_memory("x", "/x", 10),
        lambda c: c.unregister_system_shared_memory("x"),
        lambda c: c.get_cuda_shared_memory_status(),
        lambda c: c.register_cuda_shared_memory("x", b"", 0, 10),
        lambda c: c.unregister_cuda_shared_memory("x"),
    ],
)
def test_extensions_that_the_server_does_not_name_are_refused_clearly(client, call):
    with pytest.raises(InferenceServerException, match="There is nothing at /v2/") as told:
        call(client)
    assert told.value.status() == "404"


def test_the_asynchronous_client_works(stack, classifier, pixels):
    async def ask():
        async with aio.InferenceServerClient(f"127.0.0.1:{stack.port}") as client:
            assert await client.is_server_ready()
            array = aio.InferInput("images", pixels.shape, "UINT8").set_data_from_numpy(pixels)
            return await client.infer("digits", [array])

    result = asyncio.run(ask())

    assert result.as_numpy("probabilities").tobytes() == classifier.probabilities(pixels).tobytes()
