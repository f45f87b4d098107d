"""Sweeps, data sets, feedback and schedules from the command line, in front of the real service."""

import json
import zipfile

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from safetensors.numpy import load_file
from sklearn.datasets import load_digits

from inkwell.cli import main
from nncore.framing import frame_digit
from tests.stack import TOKEN

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def inkwell(stack):
    stack.train(epochs=5)
    environ = {"INKWELL_URL": stack.url, "INKWELL_ADMIN_TOKEN": TOKEN}

    def call(*arguments):
        return CliRunner(env=environ).invoke(main, [str(argument) for argument in arguments])

    return call


@pytest.fixture
def answer(inkwell):
    """Call a command that goes well with --json; return what it prints."""

    def answer(*arguments):
        called = inkwell(*arguments, "--json")
        assert called.exit_code == 0, called.output
        return json.loads(called.stdout)

    return answer


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Pictures of zeros and ones in folders named by their label, and what is hidden there."""
    folder, digits = tmp_path_factory.mktemp("pictures"), load_digits()
    for i, (image, label) in enumerate(zip(digits.images, digits.target, strict=True)):
        if label < 2 and i < 300:
            place = folder / f"letter {label}"
            place.mkdir(exist_ok=True)
            Image.fromarray(frame_digit(image)).save(place / f"{i}.png")
    (folder / ".cache").mkdir()
    (folder / ".cache/rubbish").write_text("no picture")
    return folder


def test_a_sweep_is_started_waited_for_and_its_trials_shown(inkwell, answer):
    tried = ("--try", "batch_size=32,64", "--try", "optimizer.learning_rate=0.001,0.01")

    waited = inkwell("sweep", "start", *tried, "--epochs", 1, "--set", "promote=never", "--wait")

    assert waited.exit_code == 0, waited.output
    head, *rows = waited.stdout.splitlines()[1:6]
    assert head.split()[:4] == ["batch_size", "optimizer.learning_rate", "status", "epoch"]
    assert {tuple(row.split()[:3]) for row in rows} == {
        (size, rate, "finished") for size in ("32", "64") for rate in ("0.001", "0.01")
    }
    assert "is finished: digits version" in waited.stdout.splitlines()[-1]
    (sweep,) = answer("sweep", "list")["sweeps"]
    assert sweep["id"] in inkwell("sweep", "list").stdout
    shown = answer("sweep", "show", sweep["id"])
    assert [trial["epoch"] for trial in shown["trials"]] == [1] * 4
    assert f"/api/v1/sweeps/{sweep['id']}/plot" in inkwell("sweep", "show", sweep["id"]).stdout


def test_a_sweep_draws_from_ranges_and_is_stopped(inkwell, answer):
    tried = ("--try", "optimizer.learning_rate=0.0001..0.01:log", "--try", "batch_size=16..64")

    sweep = answer("sweep", "start", *tried, "--trials", 3, "--epochs", 1000, "--no-publish")
    inkwell("sweep", "stop", sweep["id"])

    assert sweep["request"]["random"] == {
        "optimizer.learning_rate": {"low": 0.0001, "high": 0.01, "log": True, "integer": False},
        "batch_size": {"low": 16, "high": 64, "log": False, "integer": True},
    }
    assert sweep["request"]["publish"] is False
    assert answer("sweep", "show", sweep["id"])["status"] in ("stopping", "stopped")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("sweep", "start", "--try", "batch_size"), 2, "is not of the form key=value"),
        (("sweep", "start", "--try", "batch_size=1..x"), 2, "is not a range like"),
        (("sweep", "start", "--try", "batch_size=1..9:ln"), 2, "only 'log' may stand"),
        (("sweep", "start", "--try", "batch_size=1..9"), 2, "--trials"),
        (("sweep", "start", "--try", "bach_size=1,2"), 1, "Did you mean 'batch_size'?"),
        (("sweep", "stat"), 2, "Did you mean 'start'?"),
        (("sweep", "show", "none"), 1, "There is no sweep 'none'."),
        (("data", "add", "mine"), 2, "Give a file or a folder"),
        (("data", "show", "none"), 1, "There is no data set 'none'."),
        (("data", "remove", "mnist"), 1, "comes with Inkwell"),
        (("feedback", "add", "docs/seven.png", "--label", "x"), 1, "Unknown label 'x'."),
        (("feedback", "remove", "99"), 1, "There is no corrected example 99."),
        (("schedule", "add", "n", "--cron", "never"), 1, "expected 5 fields"),
        (("schedule", "add", "n", "--cron", "0 2 * * *", "--dataset", "x"), 1, "/job/dataset"),
        (("schedule", "show", "none"), 1, "There is no schedule 'none'."),
        (("alias", "remove", "digits", "none"), 1, "no version or alias 'none'"),
        (("alias", "remove", "digits", "live"), 1, "'live' cannot be removed"),
        (("alias", "list", "none"), 1, "There is no model 'none'."),
        (("version", "show", "digits", "none"), 1, "no version or alias 'none'"),
        (("version", "remove", "digits", "x"), 2, "'x' is not a valid integer"),
        (("version", "export", "digits", "none"), 1, "no version or alias 'none'"),
        (("version", "export", "digits", "--format", "pickle"), 2, "'pickle' is not one of"),
        (("promote", "digits"), 2, "Give a version, or --split"),
        (("promote", "digits", 1, "--split", "1=1"), 2, "Give a version, or --split"),
        (("promote", "digits", "--split", "1:2"), 2, "such as 2=0.05"),
        (("promote", "digits", "--split", "1=0.5"), 1, "/split"),
    ],
)
def test_what_is_wrong_is_one_line_that_tells_the_way_out(inkwell, arguments, code, said):
    called = inkwell(*arguments)

    assert called.exit_code == code, called.output
    assert said in called.stderr
    assert "Traceback" not in called.output


def test_a_folder_of_pictures_becomes_a_data_set(inkwell, answer, folder):
    added = inkwell("data", "add", "letters", folder)

    assert added.exit_code == 0, added.output
    assert added.stdout.startswith("letters: 49 pictures to train on, 12 to test with; labels let")
    assert "letters" in inkwell("data", "list").stdout
    assert answer("data", "show", "letters")["labels"] == ["letter 0", "letter 1"]
    assert answer("data", "remove", "letters") == {"removed": "letters"}
    assert inkwell("data", "show", "letters").exit_code == 1


def test_an_empty_folder_is_told_before_anything_is_sent(inkwell, tmp_path):
    called = inkwell("data", "add", "none", tmp_path)

    assert (called.exit_code, called.stderr) == (1, f"Error: {tmp_path} has no files in it\n")


def test_a_data_set_is_added_in_parts(answer, folder, tmp_path):
    for part in ("train", "test"):
        with zipfile.ZipFile(tmp_path / f"{part}.zip", "w") as archive:
            for file in sorted(folder.glob("letter ?/*.png"))[part == "test" :: 2]:
                archive.write(file, file.relative_to(folder))

    added = answer("data", "add", "parts", tmp_path / "train.zip", "--test", tmp_path / "test.zip")

    assert (added["train_rows"], added["test_rows"]) == (31, 30)


def test_idx_files_are_added_by_their_options(answer, tmp_path):
    images, labels = tmp_path / "images", tmp_path / "labels"
    digits = load_digits()
    pixels = b"".join(frame_digit(image).tobytes() for image in digits.images[:200])
    count = (200).to_bytes(4, "big")
    images.write_bytes(b"\0\0\x08\x03" + count + 2 * (28).to_bytes(4, "big") + pixels)
    labels.write_bytes(b"\0\0\x08\x01" + count + bytes(digits.target[:200].tolist()))

    added = answer("data", "add", "idx", "--train-images", images, "--train-labels", labels)

    assert added["format"] == "idx"
    assert added["train_rows"] + added["test_rows"] == 200


def test_feedback_is_added_listed_and_removed(inkwell, answer):
    added = inkwell("feedback", "add", "docs/seven.png", "docs/seven.png", "--label", 7)

    assert added.stdout == "2 kept as 7; digits has 2 corrected examples.\n"
    assert inkwell("feedback", "list").stdout.splitlines()[-1] == "2 in all: 2 as 7"
    assert inkwell("feedback", "remove", 1, 2).stdout == "2 removed.\n"
    assert answer("feedback", "list")["feedback"] == []
    assert "No feedback yet" in inkwell("feedback", "list").stdout


def test_a_schedule_is_added_shown_and_removed(inkwell, answer):
    job = ("--dataset", "digits", "--dataset", "feedback", "--set", "start_from=live")

    added = inkwell("schedule", "add", "nightly", "--cron", "0 2 * * *", *job)

    assert added.stdout.startswith("nightly trains digits next at 20")
    (listed,) = answer("schedule", "list")["schedules"]
    assert listed["job"] == {
        "model": "digits",
        "dataset": ["digits", "feedback"],
        "start_from": "live",
    }
    assert "digits+feedback" in inkwell("schedule", "list").stdout
    assert answer("schedule", "show", "nightly")["cron"] == "0 2 * * *"
    assert inkwell("schedule", "remove", "nightly").stdout == "nightly is removed.\n"
    assert "No schedules yet" in inkwell("schedule", "list").stdout


@pytest.fixture
def two(answer):
    """The numbers of two versions."""
    for seed in (1, 2):
        answer("train", "--epochs", 1, "--seed", seed, "--set", "promote=never", "--wait")
    return [one["version"] for one in answer("versions", "digits", "--limit", 2)["versions"]]


def test_an_alias_is_set_listed_removed_and_brought_back(inkwell, answer, two):
    newest, before = two

    inkwell("promote", "digits", newest, "--alias", "champion", "--reason", "a look")
    listed = inkwell("alias", "list", "digits").stdout
    refused = inkwell("version", "remove", "digits", newest)
    removed = inkwell("alias", "remove", "digits", "champion", "--reason", "seen enough")
    left = answer("alias", "list", "digits")["aliases"]
    back = inkwell("rollback", "digits", "--alias", "champion")

    assert "champion" in listed
    assert "a look" in listed
    assert (refused.exit_code, "named by: champion" in refused.stderr) == (1, True)
    assert removed.stdout == "champion of digits is removed.\n"
    assert "champion" not in [one["alias"] for one in left]
    assert "seen enough" in inkwell("history", "digits").stdout
    assert back.exit_code == 0, back.output
    assert answer("alias", "remove", "digits", "champion") == {
        "model": "digits",
        "removed": "champion",
    }
    assert inkwell("version", "remove", "digits", newest).exit_code == 0
    assert inkwell("version", "show", "digits", newest).exit_code == 1
    assert answer("version", "remove", "digits", before)["removed"] == before


def test_versions_share_the_requests_and_one_looks_on(inkwell, answer, two):
    live = answer("version", "show", "digits")["version"]
    shares = ("--split", f"{live}=0.75", "--split", f"{two[1]}=0.25", "--shadow", two[0])

    moved = inkwell("promote", "digits", *shares, "--alias", "both")

    assert moved.stdout == (
        f"digits versions {live} (75 %), {two[1]} (25 %), shadow {two[0]} are both.\n"
    )
    assert inkwell("promote", "digits", live, "--alias", "both").stdout.endswith("is both.\n")
    assert "looks on" in inkwell("alias", "shadows", "digits").stdout
    assert answer("alias", "shadows", "digits") == {"shadows": []}


def test_a_version_is_shown_and_fetched_as_a_file(inkwell, answer, tmp_path):
    shown = inkwell("version", "show", "digits").stdout
    number = answer("version", "show", "digits")["version"]

    for name in ("onnx", "npz", "safetensors"):
        inkwell("version", "export", "digits", "--format", name, "-o", tmp_path / name)
    piped = inkwell("version", "export", "digits", number, "-o", "-")

    assert "verdict" in shown
    assert "live" in shown.splitlines()[1]
    assert piped.stdout_bytes == (tmp_path / "onnx").read_bytes()
    with np.load(tmp_path / "npz") as arrays:
        assert len(arrays.files) > 1
    assert load_file(tmp_path / "safetensors")


def test_a_wrong_token_is_told_with_how_to_name_the_right_one(inkwell):
    refused = inkwell("--token", "wrong", "promote", "digits", 1)

    assert refused.exit_code == 1
    assert refused.output == (
        "Error: The bearer token is not the admin token. "
        "Name it with --token or INKWELL_ADMIN_TOKEN.\n"
    )
