"""What /metrics tells, whichever door the requests came through."""

import dataclasses

import pytest
from prometheus_client.parser import text_string_to_metric_families

from service.app import create_app
from service.settings import Settings
from tests.conftest import publish

OCTETS = {"Content-Type": "application/octet-stream"}


@pytest.fixture(params=["on", "off"])
def client(request, settings, live):
    """A client of the service, whose predictions are answered in front of Flask, or through it."""
    return create_app(dataclasses.replace(settings, fast_path=request.param)).test_client()


def metrics(client):
    """Return every sample's value by its name and labels."""
    response = client.get("/metrics")
    assert response.status_code == 200
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(response.get_data(as_text=True))
        for sample in family.samples
    }


def sample(client, name, **labels):
    return metrics(client).get((name, *sorted(labels.items())))


def test_requests_are_counted_by_route_status_and_version(client, pixels):
    for body in (pixels.tobytes(), pixels.tobytes(), b"not rows of 784"):
        client.post("/api/v1/predict", data=body, headers=OCTETS)
    client.get("/api/v1/models/digits")
    client.get("/api/v1/models/nope")
    client.get("/nowhere")

    asked = {"method": "POST", "route": "/api/v1/predict", "model": "digits", "version": "1"}
    of_a_model = {"method": "GET", "route": "/api/v1/models/<model>", "model": "", "version": ""}
    name = "inkwell_requests_total"
    assert sample(client, name, **asked, status="200") == 2
    assert sample(client, name, **asked, status="422") == 1
    assert sample(client, name, **of_a_model, status="200") == 1
    assert sample(client, name, **of_a_model, status="404") == 1
    assert sample(client, name, **of_a_model | {"route": "none"}, status="404") == 1


def test_how_long_requests_took_is_a_histogram_by_route_and_version(client, pixels):
    for _ in range(3):
        client.post("/api/v1/predict", data=pixels.tobytes(), headers=OCTETS)

    kind = {"route": "/api/v1/predict", "model": "digits", "version": "1"}
    name = "inkwell_request_duration_seconds"
    assert sample(client, f"{name}_count", **kind) == 3
    assert sample(client, f"{name}_bucket", **kind, le="+Inf") == 3
    assert 0 < sample(client, f"{name}_sum", **kind) < 60


def test_predictions_are_counted_by_label_and_by_how_sure_they_are(client, pixels):
    answer = client.post("/api/v1/predict", data=pixels.tobytes(), headers=OCTETS).json
    client.post("/v1/models/digits:predict", json={"instances": pixels.tolist()})

    labels = [row["label"] for row in answer["predictions"]] * 2
    sure = [row["probability"] for row in answer["predictions"]] * 2
    version = {"model": "digits", "version": "1"}
    for label in map(str, range(10)):
        counted = sample(client, "inkwell_predictions_total", **version, label=label)
        assert counted == labels.count(label)
    name = "inkwell_prediction_confidence"
    assert sample(client, f"{name}_count", **version) == len(sure)
    assert sample(client, f"{name}_sum", **version) == pytest.approx(sum(sure), abs=1e-4)
    below = sum(probability <= 0.5 for probability in sure)
    assert sample(client, f"{name}_bucket", **version, le="0.5") == below


def test_triton_s_counters_stand_beside_ours(client, pixels):
    client.post("/api/v1/predict", data=pixels.tobytes(), headers=OCTETS)
    client.post("/api/v1/predict", data=b"not rows of 784", headers=OCTETS)

    told = metrics(client)

    triton = {
        name: value
        for (name, *labels), value in told.items()
        if name.startswith("nv_") and labels == [("model", "digits"), ("version", "1")]
    }
    assert triton["nv_inference_count"] == len(pixels)
    assert triton["nv_inference_exec_count"] == triton["nv_inference_request_success"] == 1
    assert triton["nv_inference_request_failure"] == 1
    steps = ("compute_input", "compute_infer", "compute_output", "queue")
    parts = [triton[f"nv_inference_{step}_duration_us"] for step in steps]
    assert triton["nv_inference_request_duration_us"] >= sum(parts) > 0


def test_probes_are_not_counted(client):
    for path in ("/livez", "/readyz", "/metrics"):
        client.get(path)

    assert not [name for name, *_ in metrics(client) if name == "inkwell_requests_total"]


def test_methods_that_anybody_makes_up_are_counted_as_one(client):
    for method in ("BREW", "WHEN"):
        client.open("/api/v1/predict", method=method)

    counted = {
        dict(labels)["method"]: value
        for (name, *labels), value in metrics(client).items()
        if name == "inkwell_requests_total"
    }
    assert counted == {"other": 2}


def test_without_redis_the_rest_is_told(client):
    told = metrics(client)

    assert told["inkwell_redis_up",] == 0
    assert told["inkwell_ready", ("model", "digits")] == 1
    assert not [name for name, *_ in told if name.startswith(("inkwell_queue", "inkwell_jobs"))]


def test_versions_reloads_and_refusals_are_told(client, registry, settings, pixels):
    def predict():
        client.post("/api/v1/predict", data=pixels.tobytes(), headers=OCTETS)

    live = {"model": "digits", "alias": "live"}
    predict()
    assert sample(client, "inkwell_alias_version", **live) == 1
    publish(registry, seed=2)
    predict()
    assert sample(client, "inkwell_alias_version", **live) == 2
    assert sample(client, "inkwell_reloads_total", **live) == 2
    assert sample(client, "inkwell_version_refused", **live) is None
    weights = f"models/digits/versions/{publish(registry, seed=3)}/weights.safetensors"
    (settings.store / weights).write_bytes(b"damaged")
    predict()

    assert sample(client, "inkwell_version_refused", **live) == 1
    assert sample(client, "inkwell_version_refusals_total", **live) == 1
    assert sample(client, "inkwell_ready", model="digits") == 1


def test_a_service_without_a_version_is_not_ready(tmp_path):
    settings = Settings(store=tmp_path / "empty", redis_url="redis://127.0.0.1:1/0")

    assert sample(create_app(settings).test_client(), "inkwell_ready", model="digits") == 0


def test_a_program_may_ask_for_openmetrics(client):
    kind = "application/openmetrics-text"

    response = client.get("/metrics", headers={"Accept": f"{kind};version=1.0.0"})

    assert response.content_type.startswith(kind)
    assert response.data.endswith(b"# EOF\n")
