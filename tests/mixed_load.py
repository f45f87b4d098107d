"""Everything that is asked of a running stack, mixed, at a steady rate."""

import io
import random
import threading
import time
from collections import defaultdict
from typing import Any, NamedTuple

import httpx
import numpy as np

from tests.load import OCTETS
from tests.pictures.photographs import photographs
from tests.stack import TOKEN

PREDICT = "/api/v1/predict"
MODEL = "/api/v1/models/digits"
KIND = "Content-Type"


class Ask(NamedTuple):
    """A request as httpx takes it, how often it comes, and what its answer may be."""

    name: str
    weight: int
    method: str
    path: str
    content: dict[str, Any] = {}  # noqa: RUF012 - never changed
    statuses: tuple[int, ...] = (200,)


def predictions():
    """Return the predictions that are asked, those of a single picture most often."""
    pixels = np.random.default_rng(0).integers(0, 256, (500, 784), np.uint8)
    files = [photograph.content for photograph in photographs(3, seed=1)]
    row = pixels[0].tolist()
    infer = {"name": "images", "shape": [1, 784], "datatype": "UINT8", "data": row}
    octets, alone = {KIND: OCTETS}, {KIND: OCTETS, "Connection": "close"}
    return [
        ("one as JSON", 30, PREDICT, {"json": {"instances": [row]}}),
        ("one as octets", 30, PREDICT, {"content": bytes(pixels[0]), "headers": octets}),
        ("one, new connection", 3, PREDICT, {"content": bytes(pixels[0]), "headers": alone}),
        ("64 as JSON", 3, PREDICT, {"json": {"instances": pixels[:64].tolist()}}),
        ("500 as octets", 3, PREDICT, {"content": pixels.tobytes(), "headers": octets}),
        ("picture", 4, PREDICT, {"files": [("file", files[0])]}),
        ("three pictures", 1, PREDICT, {"files": [("file", file) for file in files]}),
        ("V2", 3, "/v2/models/digits/infer", {"json": {"inputs": [infer]}}),
        ("V1", 3, "/v1/models/digits:predict", {"json": {"instances": [row]}}),
        ("783 pixels", 3, PREDICT, {"json": {"instances": [row[1:]]}}, (422,)),
        ("no picture", 1, PREDICT, {"content": b"x", "headers": {KIND: "image/png"}}, (400,)),
    ]


def asks():
    """Return all that is asked but training. Versions 1 and 2 must be there."""
    live = f"{MODEL}/aliases/live"
    return [
        *(Ask(name, weight, "POST", *how) for name, weight, *how in predictions()),
        *(Ask(path, 1, "GET", path) for path in ("/", "/metrics", "/readyz", "/api/v1/jobs")),
        Ask("versions", 1, "GET", f"{MODEL}/versions"),
        *(Ask("promotion", 1, "PUT", live, {"json": {"version": n}}) for n in (1, 2)),
        # 412: another client moved the alias meanwhile.
        Ask("rollback", 1, "POST", f"{MODEL}/rollback", statuses=(200, 412)),
    ]


class MixedLoad:
    """Asks `rate` times a second and trains every `seconds_between_jobs`, until the block ends.

    `failures` says what was answered otherwise than it must be. `trained` counts the jobs.
    """

    def __init__(self, stack, *, rate, seconds_between_jobs, clients=4):
        self.stack, self.between_jobs = stack, seconds_between_jobs
        self.every = clients / rate  # seconds, of each client
        self.failures, self.answered, self.trained = [], 0, 0
        self._asks = asks()
        self._taken, self._lock = defaultdict(list), threading.Lock()
        self._over = threading.Event()
        self._threads = [
            threading.Thread(target=self._ask_on, args=(seed,)) for seed in range(clients)
        ]
        self._threads.append(threading.Thread(target=self._train_on))

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exception):
        self._over.set()
        for thread in self._threads:
            thread.join()

    def taken(self):
        """Return the milliseconds from when each request was due, by name, since the last call."""
        with self._lock:
            taken, self._taken = self._taken, defaultdict(list)
        return taken

    def _ask_on(self, seed):
        choice, weights = random.Random(seed), [ask.weight for ask in self._asks]
        due = time.monotonic() + choice.uniform(0, self.every)
        with self._client() as client:
            while not self._over.wait(max(due - time.monotonic(), 0)):
                self._ask(client, *choice.choices(self._asks, weights), due)
                due = max(due + self.every, time.monotonic() - 1)

    def _client(self):
        headers = {"Authorization": f"Bearer {TOKEN}"}
        return httpx.Client(base_url=self.stack.url, headers=headers, timeout=60)

    def _ask(self, client, ask, due):
        try:
            answer = client.request(ask.method, ask.path, **ask.content)
        except httpx.TransportError as error:
            self._fail(ask.name, repr(error))
            return
        if answer.status_code not in ask.statuses:
            self._fail(ask.name, f"{answer.status_code} {answer.text[:500]}")
        with self._lock:
            self.answered += 1
            self._taken[ask.name].append((time.monotonic() - due) * 1000)

    def _fail(self, name, told):
        self.failures.append(f"{time.strftime('%H:%M:%S')} {name}: {told}")

    def _train_on(self):
        with self._client() as client:
            while True:
                started = time.monotonic()
                try:
                    self._train(client)
                except (httpx.HTTPError, AssertionError) as error:
                    self._fail("training", repr(error))
                if self._over.wait(max(started + self.between_jobs - time.monotonic(), 0)):
                    return

    def _train(self, client):
        """Upload data, train with it, watch the run to its end, delete the data."""
        name = f"soak-{self.trained}"
        put = client.post(f"/api/v1/datasets/{name}", content=npz(self.trained))
        assert put.status_code == 201, put.text
        job = {"model": "soak", "dataset": name, "epochs": 3, "seed": self.trained}
        posted = client.post("/api/v1/jobs", json=job)
        assert posted.status_code == 202, posted.text
        address = f"/api/v1/jobs/{posted.json()['id']}"
        with client.stream("GET", f"{address}/events", timeout=180) as events:
            told = events.read().decode()
        assert told.count("event: epoch") == job["epochs"], told
        ended = client.get(address).json()
        assert ended["status"] == "finished", ended
        client.delete(f"/api/v1/datasets/{name}").raise_for_status()
        self.trained += 1


def npz(seed):
    """Return 500 pictures of ten kinds, as a file."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 10, 500)
    pixels = rng.integers(0, 64, (500, 28, 28), np.uint8)
    pixels[np.arange(500), 2 + 2 * labels] = 255  # a line, which tells the kind
    stream = io.BytesIO()
    np.savez_compressed(stream, pixels=pixels, labels=labels)
    return stream.getvalue()
