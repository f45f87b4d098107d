"""Where the time of a prediction goes: ``python -m benchmarks.steps``.

Calls the WSGI application as a server would, without one, and its steps by themselves. What is told
is processor time, the least of many calls: other programs can only make it longer. What a server
adds for reading and writing the socket is the difference to ``make bench-serving``.
"""

import os

os.environ["OPENBLAS_NUM_THREADS"] = "1"

import dataclasses
import io
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.headline import as_json
from benchmarks.machine import machine
from benchmarks.serving import LAYERS, publish
from nncore.network import Network
from service.answers import to_json
from service.app import create_app
from service.bodies import Content
from service.predictions import OURS
from service.predictor import Prediction
from service.settings import Settings
from service.shapes import rows_of

SECONDS = 1.0  # for each figure
CALLS_SECONDS = 1e-3  # of calls that are timed together
JSON, OCTETS = "application/json", "application/octet-stream"
PATH = "/api/v1/predict"


def main() -> None:
    lines = [
        "| processor time, µs | body to pixels | pixels to probabilities | answer to bytes "
        "| the same in a row, with version, headers, counting | through Flask |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    with tempfile.TemporaryDirectory() as folder:
        publish(Path(folder), random_weights())
        settings = Settings(store=Path(folder), admin_token="benchmark")  # noqa: S106
        apps = [create_app(dataclasses.replace(settings, fast_path=on)) for on in ("on", "off")]
        for name, content in bodies().items():
            calls = [*steps(apps[0], content), *(whole(app, content) for app in apps)]
            cells = [f"{1e6 * least(call):,.0f}" for call in calls]
            lines.append(f"| {name} | {' | '.join(cells)} |")
    print("\n".join([*lines, "", f"`python -m benchmarks.steps`, {machine()}"]))


def random_weights() -> list[Any]:
    network = Network(LAYERS, (784,))
    network.init(np.random.default_rng(0))
    arrays = network.to_tensors()
    return [(arrays[f"{i}.weight"].T, arrays[f"{i}.bias"]) for i in (0, 2, 4)]


def bodies() -> dict[str, Content]:
    """Return a request's body for each case: a fifth of the pixels has ink, as in MNIST."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(1, 256, (1000, 784)) * (rng.random((1000, 784)) < 0.2)
    octets = pixels.astype(np.uint8).tobytes()
    floats = to_json({"instances": np.round(pixels[:64] / 255, 4).tolist()})
    return {
        "1, JSON integers": Content(as_json(octets[:784]), JSON),
        "64, JSON integers": Content(as_json(octets[: 64 * 784]), JSON),
        "64, JSON floats": Content(floats, JSON),
        "64, octets": Content(octets[: 64 * 784], OCTETS),
        "1,000, JSON integers": Content(as_json(octets), JSON),
    }


def steps(app: Any, content: Content) -> list[Callable[[], Any]]:
    """Return the steps of a prediction, each to be called by itself."""
    served = app.extensions["predictor"].default()
    rows = rows_of(served.classifier.input_shape, app.extensions["settings"].max_rows)
    batch = OURS.decode(content, rows).in_shape(rows.shape)
    probabilities = served.classifier.probabilities(batch.pixels)
    return [
        lambda: OURS.decode(content, rows).in_shape(rows.shape),
        lambda: served.classifier.probabilities(batch.pixels),
        lambda: OURS.encode(Prediction(served, batch, probabilities)),
    ]


def whole(app: Any, content: Content) -> Callable[[], Any]:
    """Return a request to `app`, as a server calls it."""
    environ = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": PATH,
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "8000",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.url_scheme": "http",
        "CONTENT_TYPE": content.content_type,
        "CONTENT_LENGTH": str(len(content.body)),
    }

    def call() -> None:
        body = io.BytesIO(content.body)
        answer = app(environ | {"wsgi.input": body}, lambda status, headers: None)
        b"".join(answer)

    return call


def least(call: Callable[[], Any]) -> float:
    """Return the seconds of processor time that a call takes, the least of many."""
    call()
    began = time.thread_time()
    call()
    count = max(int(CALLS_SECONDS / max(time.thread_time() - began, 1e-6)), 1)
    times, end = [], time.perf_counter() + SECONDS
    while time.perf_counter() < end:
        began = time.thread_time()
        for _ in range(count):
            call()
        times.append((time.thread_time() - began) / count)
    return min(times)


if __name__ == "__main__":
    main()
