"""Data sets as people have them, uploaded; what is found out about them; feedback."""

import gzip
import io
import json
import struct
import subprocess
import zipfile

import numpy as np
import pytest
from PIL import Image

from nncore.dataset_store import DatasetStore
from nncore.feedback import Feedback
from nncore.framing import frame_digit
from service import dataset_bodies, picture_folders
from service import datasets as module
from tests.conftest import publish

ADDRESS = "/api/v1/datasets/mine"
RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (60, 784)).astype(np.uint8)
LABELS = np.arange(60) % 3
TEST_PIXELS = RNG.integers(0, 256, (15, 784)).astype(np.uint8)
TEST_LABELS = np.arange(15) % 3


@pytest.fixture
def upload(client, admin):
    def upload(body, mimetype="application/octet-stream", address=ADDRESS):
        if isinstance(body, dict):
            files = {name: (io.BytesIO(content), name) for name, content in body.items()}
            return client.post(
                address, data=files, content_type="multipart/form-data", headers=admin
            )
        return client.post(address, data=body, content_type=mimetype, headers=admin)

    return upload


@pytest.fixture
def stored(settings):
    return lambda: DatasetStore(settings.store).load("mine")


def npz(**arrays):
    packed = io.BytesIO()
    np.savez_compressed(packed, **arrays)
    return packed.getvalue()


def idx(array):
    header = struct.pack(f">4B{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    return header + array.astype(np.uint8).tobytes()


def csv(pixels, labels, header=""):
    lines = [",".join(map(str, [label, *row])) for label, row in zip(labels, pixels, strict=True)]
    return (header + "\n".join(lines) + "\n").encode()


def zipped(files):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return packed.getvalue()


def picture(digit, size=28, paper=0):
    """A picture of a bar (1) or of a ring (0) as people draw them."""
    image = np.full((size, size), 255 - paper if paper else 0, np.uint8)
    ink = 30 if paper else 255
    low, high, stroke = size // 4, 3 * size // 4, max(2, size // 12)
    image[low:high, size // 2 : size // 2 + stroke] = ink
    if digit == 0:
        image[low:high, low : low + stroke] = ink
        image[low : low + stroke, low : size // 2] = ink
        image[high - stroke : high, low : size // 2 + stroke] = ink
    packed = io.BytesIO()
    Image.fromarray(image).save(packed, "PNG")
    return packed.getvalue()


WHOLE = {
    "npz as Keras has it": npz(
        x_train=PIXELS.reshape(-1, 28, 28),
        y_train=LABELS,
        x_test=TEST_PIXELS.reshape(-1, 28, 28),
        y_test=TEST_LABELS,
    ),
    "npz of floats": npz(
        train_pixels=PIXELS / 255,
        train_labels=LABELS.astype(str),
        test_pixels=TEST_PIXELS / 255,
        test_labels=TEST_LABELS.astype(str),
    ),
    "IDX": {
        "train_images": gzip.compress(idx(PIXELS.reshape(-1, 28, 28))),
        "train_labels": idx(LABELS),
        "test_images": idx(TEST_PIXELS.reshape(-1, 28, 28)),
        "test_labels": gzip.compress(idx(TEST_LABELS)),
    },
    "CSV": {"train": csv(PIXELS, LABELS), "test": csv(TEST_PIXELS, TEST_LABELS)},
    "CSV with names, gzipped": {
        "train": gzip.compress(csv(PIXELS, LABELS, "label,pixel0,pixel1\n")),
        "test": csv(TEST_PIXELS / 255, TEST_LABELS, "label,1x1\n"),
    },
}


def written(pixels, labels, separator=",", last=False, number="%d", names=""):
    """CSV in another of its forms."""
    rows = [[number % pixel for pixel in row] for row in pixels]
    order = slice(None, None, -1 if last else 1)
    lines = [
        separator.join([field for part in ([label], row)[order] for field in part])
        for label, row in zip(labels, rows, strict=True)
    ]
    return gzip.compress((names + "\r\n".join(lines)).encode())


TEST_PART = {"test": csv(TEST_PIXELS, TEST_LABELS)}
WHOLE |= {
    "CSV by NumPy": {
        "train": written(PIXELS, [f"{label:.18e}" for label in LABELS], number="%.18e")
    },
    "CSV by a spreadsheet": {"train": written(PIXELS, LABELS.astype(str), ";", number='"%d"')},
    "CSV with its label last": {
        "train": written(
            PIXELS,
            [f"{label}.0" for label in LABELS],
            last=True,
            names=",".join(["", *(f"p{i}" for i in range(783)), '"Label"\n'])[1:],
        )
    },
    "CSV by pandas": {
        "train": written(
            PIXELS, LABELS.astype(str), names=",".join(["y", *map(str, range(784))]) + "\n"
        )
    },
    "npz of one-hot labels": {"train": npz(x=PIXELS, y=np.eye(3)[LABELS])},
    "npz of floats as labels": {"train": npz(x=PIXELS.reshape(-1, 28, 28, 1), y=LABELS / 1.0)},
    "npz of bytes as labels": {"train": npz(x=PIXELS, y=LABELS.astype("S"))},
}
WHOLE = {
    name: body | TEST_PART if isinstance(body, dict) and [*body] == ["train"] else body
    for name, body in WHOLE.items()
}


@pytest.mark.parametrize("body", WHOLE.values(), ids=WHOLE)
def test_a_data_set_is_the_same_whatever_it_comes_in(upload, stored, client, body):
    response = upload(body)

    assert response.status_code == 201, response.text
    assert response.headers["Location"].endswith(ADDRESS)
    train, test = stored()
    np.testing.assert_array_equal(train.pixels, PIXELS)
    np.testing.assert_array_equal(train.labels, LABELS)
    np.testing.assert_array_equal(test.pixels, TEST_PIXELS)
    np.testing.assert_array_equal(test.labels, TEST_LABELS)
    told = client.get(ADDRESS).json
    assert (told["labels"], told["train_rows"], told["test_rows"]) == (["0", "1", "2"], 60, 15)
    assert told["report"]["split"] == "given"
    assert told["sha256"] == response.json["sha256"]


def test_without_a_test_part_a_fifth_of_each_class_is_held_out_always_the_same(upload, stored):
    doubled = npz(x=np.concatenate([PIXELS, PIXELS[:9]]), y=np.concatenate([LABELS, LABELS[:9]]))

    first = upload(doubled)
    train, test = stored()
    again = upload(doubled, address="/api/v1/datasets/again")

    assert first.json["sha256"] == again.json["sha256"]
    assert np.bincount(test.labels).tolist() == [4, 4, 4]
    assert not {row.tobytes() for row in test.pixels} & {row.tobytes() for row in train.pixels}
    assert first.json["report"]["duplicates"]["train_and_test"] == 0


def test_a_zip_of_labelled_folders_is_read_as_pictures_are(upload, stored):
    files = {
        f"digits/{digit}/{n}.png": picture(digit, 60 + n, n % 2)
        for digit in (0, 1)
        for n in range(10)
    }
    files |= {"digits/1/blank.png": b"no picture", "__MACOSX/digits/1/._0.png": b"x"}

    response = upload(zipped(files), "application/zip")

    train, test = stored()
    report = response.json["report"]
    assert response.json["labels"] == ["0", "1"]
    assert len(train.labels) + len(test.labels) == 20
    assert report["left_out_count"] == 1
    assert report["left_out"][0]["file"] == "digits/1/blank.png"
    bar = frame_digit(np.ones((40, 5)))
    ones = train.pixels[train.labels == 1].reshape(-1, 28, 28).astype(int)
    assert np.abs(ones - bar).mean() < 12


def test_folders_below_test_are_tested_with(upload):
    files = {
        f"{part}/{digit}/{n}.png": picture(digit, 50 + n)
        for part in ("train", "test")
        for digit in (0, 1)
        for n in range(3)
    }

    response = upload(zipped(files), "application/zip")

    assert (response.json["train_rows"], response.json["test_rows"]) == (6, 6)
    assert response.json["report"]["duplicates"]["train_and_test"] > 0


def test_the_report_tells_what_will_deceive(upload):
    pixels, labels = PIXELS.copy(), LABELS.copy()
    pixels[1] = pixels[0]  # the same picture, of two labels
    labels[2:] = 0
    labels[5] = 2
    response = upload(
        npz(x_train=pixels, y_train=labels, x_test=pixels[10:13], y_test=labels[10:13])
    )

    report = response.json["report"]
    assert report["classes"] == [
        {"label": "0", "train": 58, "test": 3},
        {"label": "1", "train": 1, "test": 0},
        {"label": "2", "train": 1, "test": 0},
    ]
    assert report["duplicates"]["train_and_test"] == 3
    assert report["duplicates"]["rows"] == [[10, 0], [11, 1], [12, 2]]
    assert report["duplicates"]["of_several_labels"] == 1
    told = " ".join(report["warnings"])
    for part in ("3 test pictures are trained on", "more than one label", "'1' (1)", "ten times"):
        assert part in told


WRONG = {
    "nothing": (b"", 422),
    "no data set at all": (b"\xff\xfe\x00", 400),
    "a zip cut off": (zipped({"1/a.png": picture(1)})[:-30], 400),
    "an empty zip": (zipped({}), 422),
    "pictures in no folder": (zipped({"a.png": picture(1)}), 422),
    "folders without pictures": (zipped({"1/a.txt": b"x", "2/b.txt": b"y"}), 422),
    "one label": (npz(x=PIXELS, y=np.zeros(60, int)), 422),
    "labels alone": (npz(y=LABELS), 422),
    "too few labels": (npz(x=PIXELS, y=LABELS[:59]), 422),
    "783 pixels": (npz(x=PIXELS[:, 1:], y=LABELS), 422),
    "no rows": (npz(x=PIXELS[:0], y=LABELS[:0]), 422),
    "NaN": (npz(x=np.full((60, 784), np.nan), y=LABELS), 422),
    "300": (npz(x=PIXELS.astype(int) + 300, y=LABELS), 422),
    "objects": (npz(x=PIXELS, y=np.array([None] * 60, object)), 400),
    "a test label that is not trained on": (
        npz(x_train=PIXELS, y_train=LABELS, x_test=PIXELS, y_test=LABELS + 1),
        422,
    ),
    "CSV with text": (csv(PIXELS, LABELS).replace(b",", b",x,", 90_000), 422),
    "ragged CSV": (csv(PIXELS, LABELS) + b"1,2,3\n", 422),
    "IDX alone": (idx(PIXELS), 422),
    "IDX without labels": ({"train_images": idx(PIXELS)}, 422),
    "IDX cut off": ({"train_images": idx(PIXELS)[:-1], "train_labels": idx(LABELS)}, 400),
    "CSV with one text among its numbers": (csv(PIXELS, LABELS).replace(b",", b",x", 1), 422),
    "JSON": (b'{"instances": [1, 2]}', 422),
    "a tar": (b"set/1.csv" + b"\0" * 99 + csv(PIXELS, LABELS), 400),
    "two ones a row": (npz(x=PIXELS, y=np.ones((60, 2))), 422),
    "an unknown field": ({"picture": b"x"}, 422),
    "gzip cut off": (gzip.compress(csv(PIXELS, LABELS))[:-9], 400),
    "a bomb": (gzip.compress(b"0" * 20 * 2**20), 413),
}


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (csv(PIXELS, LABELS, "label,pixel0\n").replace(b",9", b",x9", 1), "line 2 has 'x9"),
        (csv(PIXELS, LABELS) + b"\n1,2,3\n", "line 62 has 3 fields, not a label and 784 numbers"),
        (npz(x=PIXELS, y=np.array([None] * 60, object)), "has the labels to train is no .npy"),
        (csv(PIXELS * 2.0, LABELS), "they are from 0 to 510"),
    ],
)
def test_where_a_file_is_wrong_is_told(upload, body, told):
    assert told in upload(body).json["detail"]


def test_pixels_of_0_and_1_are_ink_whatever_they_are_kept_as(upload, stored, client):
    for name, kind in (("mine", np.uint8), ("bits", bool)):
        upload(npz(x=(PIXELS > 99).astype(kind), y=LABELS), address=f"/api/v1/datasets/{name}")

    train, _ = stored()
    assert np.unique(train.pixels).tolist() == [0, 255]
    same = {client.get(f"/api/v1/datasets/{name}").json["sha256"] for name in ("mine", "bits")}
    assert len(same) == 1


def test_a_file_that_lies_in_no_folder_is_left_out_and_told(upload):
    files = {f"{n % 2}/{n}.png": picture(n % 2, 50 + n) for n in range(10)}

    report = upload(zipped(files | {"README.md": b"Bars and rings."})).json["report"]

    assert [out["file"] for out in report["left_out"]] == ["README.md"]
    assert "lies in no folder" in report["left_out"][0]["reason"]


def test_more_pictures_than_an_upload_may_have_are_refused(upload, client, monkeypatch):
    monkeypatch.setattr(dataset_bodies, "MOST_PICTURES", 2)

    response = upload(zipped({f"1/{n}.png": picture(1) for n in range(3)}), "application/zip")

    assert response.status_code == 413
    assert "1 to 2 pictures" in response.json["detail"]
    assert client.get(ADDRESS).status_code == 404


def test_a_process_that_is_killed_while_it_reads_pictures_is_told(upload, client, monkeypatch):
    monkeypatch.setattr(picture_folders, "COMMAND", ("sh", "-c", "cat > /dev/null; kill -9 $$"))

    response = upload(zipped({"1/a.png": picture(1)}), "application/zip")

    assert response.status_code == 503
    assert "Try again" in response.json["detail"]
    assert client.get("/api/v1/datasets/mine").status_code == 404


def test_a_process_whose_asker_is_gone_reads_no_further():
    nobody = json.dumps([1, "1/a.png"]).encode() + b"\n"

    done = subprocess.run(
        picture_folders.COMMAND, input=nobody + zipped({"1/a.png": picture(1)}), capture_output=True
    )

    assert (done.returncode, done.stdout) == (1, b"")
    assert b"is gone" in done.stderr


def test_who_uploads_while_another_upload_is_read_is_told_to_come_again(upload, monkeypatch):
    monkeypatch.setattr(module, "WAITING_SECONDS", 0.01)
    with module._reading:
        response = upload(npz(x=PIXELS, y=LABELS))

    assert (response.status_code, response.headers["Retry-After"]) == (429, "5")
    assert upload(npz(x=PIXELS, y=LABELS)).status_code == 201


@pytest.mark.parametrize(("body", "status"), WRONG.values(), ids=WRONG)
def test_what_is_no_data_set_is_told_and_keeps_nothing(upload, client, settings, body, status):
    response = upload(body)

    assert response.status_code == status, response.text
    assert response.mimetype == "application/problem+json"
    assert client.get(ADDRESS).status_code == 404
    assert not [*(settings.store / "datasets").glob("*")]


def test_a_name_that_is_taken_stays_as_it_is_until_it_is_deleted(upload, client, admin):
    first = upload(npz(x=PIXELS, y=LABELS))
    same = upload(npz(x=PIXELS, y=LABELS))
    other = upload(npz(x=PIXELS, y=LABELS[::-1]))

    assert (same.status_code, same.json) == (201, first.json)
    assert other.status_code == 409
    assert client.delete(ADDRESS, headers=admin).status_code == 204
    assert client.delete(ADDRESS, headers=admin).status_code == 404
    assert upload(npz(x=PIXELS, y=LABELS[::-1])).status_code == 201


@pytest.mark.parametrize(
    ("name", "status"), [("mnist", 409), ("feedback", 409), (".hidden", 422), ("a b", 422)]
)
def test_names_that_cannot_be_are_refused(upload, client, admin, name, status):
    assert upload(npz(x=PIXELS, y=LABELS), address=f"/api/v1/datasets/{name}").status_code == status
    assert client.delete("/api/v1/datasets/mnist", headers=admin).status_code == 409


def test_data_sets_are_listed_with_those_that_come_with_inkwell(upload, client):
    upload(npz(x=PIXELS, y=LABELS))

    listed = {row["name"]: row for row in client.get("/api/v1/datasets").json["datasets"]}

    assert [*listed] == ["digits", "mnist", "ones", "xor", "mine"]
    assert listed["mine"]["sha256"]
    assert client.get("/api/v1/datasets/mnist").json["train_rows"] == 60_000


def test_a_job_on_an_uploaded_data_set_is_checked_against_it(upload, client, admin):
    upload(npz(x=PIXELS, y=LABELS))
    dry = "/api/v1/jobs?dry_run=true"

    def post(**body):
        return client.post(dry, json={"model": "m", "dataset": "mine"} | body, headers=admin)

    wrong = post(network=[{"type": "dense", "units": 10}])
    right = post(network=[{"type": "dense", "units": 3}])
    fitting = post(preset="lenet")
    mixed = post(dataset=["mnist", "mine", "feedback"])
    missing = post(dataset=["mnist", "mein"])
    upside_down = post(dataset=["mine", "mnist"], network=[{"type": "dense", "units": 3}])

    assert wrong.json["errors"][0]["pointer"] == "/network"
    assert "Expected 3 outputs" in wrong.json["detail"]
    assert right.status_code == mixed.status_code == 200
    assert fitting.json["config"]["network"][-1]["units"] == 3
    assert missing.json["errors"][0]["pointer"] == "/dataset/1"
    assert "Did you mean 'mine'?" in missing.json["detail"]
    assert "other rows or labels" in upside_down.json["detail"]
    assert post(dataset="feedback").status_code == 422
    assert post(dataset=[]).status_code == post(dataset=["mnist", "mnist"]).status_code == 422


@pytest.mark.parametrize("manifest", ["{", "{}", "[]"])
def test_a_data_set_that_is_damaged_is_told_hides_no_other_and_can_be_deleted(
    upload, settings, client, admin, manifest
):
    upload(npz(x=PIXELS, y=LABELS))
    (settings.store / "datasets/mine/manifest.json").write_text(manifest)

    *others, damaged = client.get("/api/v1/datasets").json["datasets"]

    assert client.get(ADDRESS).status_code == 503
    assert [one["name"] for one in others] == ["digits", "mnist", "ones", "xor"]
    assert damaged["name"] == "mine"
    assert damaged["error"].startswith("manifest.json of data set 'mine'")
    assert client.delete(ADDRESS, headers=admin).status_code == 204
    assert client.get(ADDRESS).status_code == 404


@pytest.fixture
def send(client, admin, live):
    def send(status=201, **body):
        response = client.post("/api/v1/feedback", json=body, headers=admin)
        assert response.status_code == status, response.text
        return response.json

    return send


def test_feedback_is_kept_counted_and_listed(send, client, settings):
    assert send(instances=PIXELS[:2].tolist(), labels=["3", 4])["count"] == 2
    assert send(instances=(PIXELS[2] / 255).tolist(), label=5, version=1)["count"] == 3

    first = client.get("/api/v1/feedback?limit=2").json
    rest = client.get(f"/api/v1/feedback?cursor={first['next_cursor']}").json

    assert (first["count"], first["labels"]) == (3, {"3": 1, "4": 1, "5": 1})
    assert [row["label"] for row in first["feedback"] + rest["feedback"]] == ["5", "4", "3"]
    assert rest["next_cursor"] is None
    assert first["feedback"][0]["version"] == 1
    kept = Feedback(settings.store, "digits").examples(tuple("0123456789"), 3)
    np.testing.assert_array_equal(kept.pixels, PIXELS[:3])
    assert kept.labels.tolist() == [3, 4, 5]


def test_deleted_feedback_is_neither_listed_nor_counted_nor_trained_on(
    send, client, admin, settings
):
    send(instances=PIXELS[:3].tolist(), labels=["3", "4", "5"])

    assert client.delete("/api/v1/feedback/2", headers=admin).status_code == 204

    listed = client.get("/api/v1/feedback").json
    assert (listed["count"], listed["labels"]) == (2, {"3": 1, "5": 1})
    assert [row["number"] for row in listed["feedback"]] == [3, 1]
    feedback, labels = Feedback(settings.store, "digits"), tuple("0123456789")
    assert feedback.examples(labels, feedback.length()).labels.tolist() == [3, 5]
    # What was trained on before it was deleted can be had again.
    assert feedback.examples(labels, 3).labels.tolist() == [3, 4, 5]
    assert client.delete("/api/v1/feedback/2", headers=admin).status_code == 404
    assert send(instances=PIXELS[3].tolist(), label=6)["count"] == 3
    assert client.get("/api/v1/feedback?limit=1").json["feedback"][0]["number"] == 5


@pytest.mark.parametrize("number", ["0", "4", "x", "3?model=none"])
def test_feedback_that_is_not_there_cannot_be_deleted(send, client, admin, number):
    send(instances=PIXELS[:3].tolist(), label=3)

    response = client.delete(f"/api/v1/feedback/{number}", headers=admin)

    assert response.status_code == 404
    assert response.mimetype == "application/problem+json"
    assert client.get("/api/v1/feedback").json["count"] == 3


def test_a_picture_is_feedback_too(client, admin, live):
    response = client.post(
        "/api/v1/feedback?label=1&model=digits",
        data=picture(1, 90, 1),
        content_type="image/png",
        headers=admin,
    )

    assert response.json == {"model": "digits", "added": 1, "count": 1}


def test_of_a_picture_that_came_twice_the_last_label_counts(send, settings):
    send(instances=PIXELS[:2].tolist(), label="3")
    send(instances=PIXELS[0].tolist(), label="8")

    kept = Feedback(settings.store, "digits").examples(tuple("0123456789"), 3)
    assert kept.labels.tolist() == [8, 3]


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"label": "ten"}, 422),
        ({"label": None}, 422),
        ({"labels": ["1", "2"]}, 422),
        ({"label": "1", "weight": 1}, 422),
        ({"label": "1", "version": 9}, 404),
        ({"label": "1", "model": "none"}, 404),
        ({"label": "1", "instances": [[1, 2]]}, 422),
    ],
)
def test_wrong_feedback_is_told_and_keeps_nothing(send, client, changed, status):
    send(status, **{"instances": PIXELS[:1].tolist()} | changed)

    assert client.get("/api/v1/feedback").json["count"] == 0


def test_what_a_process_left_that_died_while_it_wrote_is_no_feedback(send, settings, client):
    send(instances=PIXELS[0].tolist(), label="3")
    file = settings.store / "feedback/digits/examples.jsonl"
    whole = file.read_bytes()
    file.write_bytes(whole + whole[:100])

    assert client.get("/api/v1/feedback").json["count"] == 1
    assert send(instances=PIXELS[1].tolist(), label="4")["count"] == 2
    assert [json.loads(line)["label"] for line in file.read_text().splitlines()] == ["3", "4"]


def test_feedback_and_uploads_want_the_token(client, registry):
    publish(registry)

    assert client.delete("/api/v1/feedback/1").status_code == 401
    for address in ("/api/v1/feedback", ADDRESS):
        assert client.post(address, data=b"").status_code == 401
    assert client.get("/api/v1/feedback?model=none").status_code == 404
