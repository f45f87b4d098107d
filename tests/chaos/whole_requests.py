"""Requests that are right, to every address and in every form: what is made wrong begins as one."""

import gzip
import io
import itertools
import json
import re
import zipfile
from typing import NamedTuple

import httpx
import numpy as np
from PIL import Image

from tests.pictures.photographs import photographs
from tests.service.dialect_forms import BYTES, NUMBERS, OURS, UNIT
from tests.stack import TOKEN

# What stands for the names in a path. Another model than the one that answers is unloaded.
NAMES = {"model": "digits", "version": "1", "alias": "canary", "name": "verdict.json"}
SPARE = "spare"
JOB = {"model": "digits", "dataset": "digits", "epochs": 1}
NETWORK = [{"type": "dense", "units": 16}, {"type": "relu"}, {"type": "dense", "units": 10}]
CONFIGS = {
    ("POST", "/api/v1/jobs"): [
        JOB | {"network": NETWORK, "optimizer": {"type": "adam", "learning_rate": 0.01}},
        JOB | {"preset": "lenet", "seed": 1, "early_stopping": {"patience": 3}},
        JOB | {"augment": {"shift": 2, "rotate": 10}, "schedule": {"type": "one_cycle"}},
    ],
    ("POST", "/api/v1/sweeps"): [
        {"base": JOB, "grid": {"optimizer.learning_rate": [0.1, 0.01]}},
        {"base": JOB, "random": {"batch_size": [16, 64]}, "trials": 2},
    ],
    ("PUT", "/api/v1/schedules/{schedule}"): [{"cron": "0 3 * * *", "job": JOB}],
    ("PUT", "/api/v1/models/{model}/aliases/{alias}"): [
        {"version": 1, "reason": "x"},
        {"split": {"1": 0.9, "2": 0.1}, "shadow": 2},
    ],
    ("POST", "/api/v1/models/{model}/rollback"): [{"alias": "canary", "reason": "x"}],
    ("POST", "/api/v1/feedback"): [{"instances": [[0] * 784], "label": "7", "version": 1}],
    ("POST", "/v2/repository/index"): [{"ready": True}],
    ("POST", "/v2/repository/models/{model}/load"): [{"parameters": {}}],
}


class Request(NamedTuple):
    """A request as it goes over the wire, but for the length of its body."""

    method: str
    path: str
    headers: tuple[tuple[str, str], ...]
    body: bytes = b""

    @property
    def kind(self):
        """What its body is said to be."""
        return dict(self.headers).get("Content-Type", "")


def request(method, path, content_type=None, body=b"", headers=()):
    """Return a request by one who may do everything."""
    kind = () if content_type is None else (("Content-Type", content_type),)
    authorization = ("Authorization", f"Bearer {TOKEN}")
    return Request(method, path, (("Host", "x"), authorization, *kind, *headers), body)


def whole_requests(document):
    """Return requests to every address of an OpenAPI document, with every kind of body."""
    return [*predicting(), *pictures(), *data_sets(), *others(document)]


def predicting():
    rows = np.random.default_rng(0).integers(0, 256, (2, 784)).astype(np.uint8)
    for pixels, forms in ((rows, NUMBERS), (rows, BYTES), (rows / 255, UNIT)):
        for form in forms.values():
            body = form.write(pixels)
            headers = tuple(form.headers(body).items())
            yield request("POST", form.path, form.content_type, body, headers)


def pictures():
    for file, path in zip(picture_files(), itertools.cycle([OURS, "/invocations"])):
        yield request("POST", path, f"image/{Image.open(io.BytesIO(file)).format.lower()}", file)
    files = picture_files()[:3]
    yield request("POST", OURS, "application/zip", zipped({f"{i}": f for i, f in enumerate(files)}))
    for path in (OURS, "/predictions/digits", "/api/v1/feedback?label=7"):
        yield form("POST", path, [("file", (f"{i}", file)) for i, file in enumerate(files)])


def picture_files():
    """Return a digit in every format and in many of their modes."""
    first = next(photographs(1, seed=1)).content
    image = Image.open(io.BytesIO(first)).convert("RGB").resize((60, 60))
    grey = image.convert("L")
    deep = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
    saved = [
        *((image, kind, {}) for kind in ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF")),
        *((grey, kind, {}) for kind in ("PNG", "JPEG", "BMP", "TIFF")),
        (image.convert("P"), "PNG", {"transparency": 0}),
        (image.convert("RGBA"), "PNG", {}),
        (image.convert("1"), "PNG", {}),
        (deep, "PNG", {}),
        (image.convert("CMYK"), "JPEG", {"progressive": True}),
        (image, "WEBP", {"lossless": True}),
        (image, "GIF", {"save_all": True, "append_images": [image, image]}),
        *((image, "TIFF", {"compression": how}) for how in ("tiff_lzw", "tiff_deflate", "jpeg")),
        (grey.convert("F"), "TIFF", {}),
    ]
    return [file_of(*how) for how in saved]


def file_of(image, kind, options):
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def data_sets():
    rng = np.random.default_rng(0)
    pixels, labels = rng.integers(0, 256, (20, 784)).astype(np.uint8), np.arange(20) % 2
    arrays = io.BytesIO()
    np.savez_compressed(arrays, pixels=pixels, labels=labels)
    lines = "\n".join(",".join(map(str, row)) for row in np.column_stack([labels, pixels]))
    idx = (b"\0\0\x08\x03\0\0\0\x14\0\0\0\x1c\0\0\0\x1c", b"\0\0\x08\x01\0\0\0\x14")
    folders = zipped({f"{i % 2}/{i}": file for i, file in enumerate(picture_files()[:4])})
    address, octets = "/api/v1/datasets/one", "application/octet-stream"
    yield request("POST", address, octets, arrays.getvalue())
    yield request("POST", address, "text/csv", lines.encode())
    yield request("POST", address, "application/zip", folders)
    yield form("POST", address, [
        ("train_images", ("a", gzip.compress(idx[0] + pixels.tobytes()))),
        ("train_labels", ("b", idx[1] + labels.astype(np.uint8).tobytes())),
    ])  # fmt: skip


def zipped(files):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return packed.getvalue()


def form(method, path, files):
    built = httpx.Request(method, "http://x", files=files)
    return request(method, path, built.headers["Content-Type"], built.read())


def others(document):
    """Return what the OpenAPI document names, with a configuration where one is taken."""
    for path, methods in document["paths"].items():
        names = NAMES | {"model": SPARE} if path.endswith("/unload") else NAMES
        address = re.sub("{(.*?)}", lambda found, names=names: names.get(found[1], "one"), path)
        for method in map(str.upper, methods):
            yield request(method, address)
            for config in CONFIGS.get((method, path), []):
                yield request(method, address, "application/json", json.dumps(config).encode())
