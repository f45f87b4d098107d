import getpass
import gzip
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from inkwell import doctor

Call = Callable[..., Result]

ONE = {"label": "7", "probability": 0.9981}
PICTURES = {
    "7.png": (b"\x89PNG\r\n\x1a\n....", "image/png"),
    "7.jpg": (b"\xff\xd8\xff\xe0", "image/jpeg"),
    "7.webp": (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "image/webp"),
    "7.bmp": (b"BM\x00", "image/bmp"),
    "7.gif": (b"GIF89a", "image/gif"),
    "7.tiff": (b"II*\x00\x08", "image/tiff"),
    "motorola.tif": (b"MM\x00*\x00", "image/tiff"),
    "all.zip": (b"PK\x03\x04\x14", "application/zip"),
    "rows.npy": (b"\x93NUMPY\x01\x00", "application/x-npy"),
    "t10k-images-idx3-ubyte": (b"\x00\x00\x08\x03\x00", "application/x-idx"),
    "t10k-images-idx3-ubyte.gz": (
        gzip.compress(b"\x00\x00\x08\x03\x00", mtime=0),
        "application/x-idx",
    ),
    "body.json": (b'{"instances": []}', "application/json"),
}


def job(status: str, **more: Any) -> dict[str, Any]:
    config = {"model": "digits", "dataset": "digits", "epochs": 2}
    return {"id": "j1", "status": status, "config": config, "history": []} | more


def epoch(number: int) -> dict[str, Any]:
    return {"epoch": number, "loss": 1 / number, "validation_accuracy": 0.9}


def predicting(service: Any, predictions: list[dict[str, Any]] | None = None) -> None:
    answer = {"model": "digits", "version": 3, "predictions": predictions or [ONE]}
    service.on("POST /api/v1/models/digits/predict", answer)


def posted(service: Any) -> Any:
    return json.loads(next(body for call, _, body in service.requests if "POST" in call))


# Predicting


@pytest.mark.parametrize("name", PICTURES)
def test_predict_sends_each_kind_of_file_under_its_type(
    service: Any, inkwell: Call, tmp_path: Path, name: str
) -> None:
    content, kind = PICTURES[name]
    (tmp_path / name).write_bytes(content)
    predicting(service)

    answered = inkwell("predict", tmp_path / name)

    assert answered.exit_code == 0, answered.output
    _, headers, body = service.requests[-1]
    assert (headers["Content-Type"], body) == (kind, content)


def test_predict_tells_standard_input_by_its_first_bytes(service: Any, inkwell: Call) -> None:
    predicting(service)

    answered = inkwell("predict", "-", input=b"\x93NUMPY\x01\x00")

    assert answered.exit_code == 0
    assert service.requests[-1][1]["Content-Type"] == "application/x-npy"


def test_predict_prints_a_row_for_each_prediction_and_who_answered(
    service: Any, inkwell: Call, tmp_path: Path
) -> None:
    (tmp_path / "rows.npy").write_bytes(b"\x93NUMPY")
    predicting(service, [ONE, {"label": "1", "probability": 0.5}])

    lines = inkwell("predict", tmp_path / "rows.npy").stdout.splitlines()

    assert [line.split()[1:] for line in lines[1:3]] == [["7", "0.9981"], ["1", "0.5000"]]
    assert lines[2].startswith(f"{tmp_path}/rows.npy[1] ")
    assert lines[-1] == "Answered by digits version 3"


def test_predict_goes_on_past_files_that_it_cannot_send(
    service: Any, inkwell: Call, tmp_path: Path
) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "7.png").write_bytes(PICTURES["7.png"][0])
    predicting(service)
    names = ["missing.png", "notes.txt", "empty.png", "7.png"]

    answered = inkwell("predict", *(tmp_path / name for name in names))

    assert answered.exit_code == 1
    assert answered.stderr.splitlines() == [
        f"Error: {tmp_path}/missing.png: No such file or directory",
        f"Error: {tmp_path}/notes.txt: is no picture, zip, .npy, IDX or JSON file",
        f"Error: {tmp_path}/empty.png: is empty",
    ]
    assert "0.9981" in answered.stdout


def test_predict_names_the_files_of_a_zip_and_those_that_were_refused(
    service: Any, inkwell: Call, tmp_path: Path
) -> None:
    (tmp_path / "all.zip").write_bytes(PICTURES["all.zip"][0])
    answer = {
        **{"model": "digits", "version": 3},
        "predictions": [ONE | {"picture": {"file": "a.png"}}],
        "refused": [{"file": "b.png", "detail": "b.png: Expected a whole picture."}],
    }
    service.on("POST /api/v1/models/digits/predict", answer)

    answered = inkwell("predict", tmp_path / "all.zip")

    assert answered.exit_code == 1
    assert answered.stderr == f"Error: {tmp_path}/all.zip: b.png: Expected a whole picture.\n"
    assert f"{tmp_path}/all.zip[a.png]" in answered.stdout


def test_predict_names_the_file_that_the_service_refuses(
    service: Any, inkwell: Call, tmp_path: Path
) -> None:
    (tmp_path / "7.png").write_bytes(PICTURES["7.png"][0])
    refusal = {"detail": "The picture is cut off"}
    service.on("POST /api/v1/models/digits/predict", refusal, 400)

    answered = inkwell("predict", tmp_path / "7.png")

    assert answered.exit_code == 1
    assert answered.stderr == f"Error: {tmp_path}/7.png: The picture is cut off\n"


def test_predict_as_json_is_one_line_for_each_file(
    service: Any, inkwell: Call, tmp_path: Path
) -> None:
    (tmp_path / "7.png").write_bytes(PICTURES["7.png"][0])
    predicting(service)

    answered = inkwell("predict", "--json", tmp_path / "7.png", tmp_path / "7.png")

    answers = [json.loads(line) for line in answered.stdout.splitlines()]
    assert [answer["predictions"] for answer in answers] == [[ONE], [ONE]]


def test_predict_takes_what_it_knows_of_a_folder(
    service: Any, inkwell: Call, tmp_path: Path
) -> None:
    (tmp_path / "deep").mkdir()
    for name in ("b.png", "deep/a.jpg", ".hidden.png", "notes.txt"):
        (tmp_path / name).write_bytes(PICTURES.get(f"7{Path(name).suffix}", (b"hello",))[0])
    predicting(service)

    answered = inkwell("predict", "--csv", tmp_path)

    assert answered.exit_code == 0, answered.output
    assert answered.stdout.splitlines() == [
        "file,label,probability,model,version",
        f"{tmp_path}/b.png,7,0.9981,digits,3",
        f"{tmp_path}/deep/a.jpg,7,0.9981,digits,3",
    ]


def test_a_folder_with_nothing_in_it_is_an_error(inkwell: Call, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")

    answered = inkwell("predict", tmp_path)

    assert answered.exit_code == 1
    assert (
        answered.stderr == f"Error: {tmp_path} has no picture, zip, .npy, IDX or JSON file in it\n"
    )


def test_no_service_is_said_once_however_many_files(free_port: int, inkwell: Call) -> None:
    url = f"http://127.0.0.1:{free_port}"

    answered = inkwell("--url", url, "predict", "-", "-", input=b"GIF89a")

    assert answered.exit_code == 1
    line = f"Error: No service at {url}: start one with `inkwell up` or set INKWELL_URL\n"
    assert answered.stderr == line


# Training


def test_train_posts_only_what_was_given(service: Any, inkwell: Call) -> None:
    service.on("POST /api/v1/jobs", job("queued"), 202)

    answered = inkwell("train")

    assert posted(service) == {"model": "digits", "dataset": "digits"}
    assert answered.output == "Job j1 is queued; look at it with: inkwell job j1\n"


def test_a_preset_names_its_data_itself(service: Any, inkwell: Call) -> None:
    service.on("POST /api/v1/jobs", job("queued"), 202)

    inkwell("train", "--preset", "two-layer-sse")

    assert posted(service) == {"model": "digits", "preset": "two-layer-sse"}


def test_train_turns_options_into_keys_of_the_config(service: Any, inkwell: Call) -> None:
    service.on("POST /api/v1/jobs", job("queued"), 202)

    inkwell(
        *("train", "--dataset", "mnist", "--model", "big", "--epochs", 10, "--batch-size", 64),
        *("--seed", 0, "--promote", "never", "--learning-rate", 0.01, "--hidden", "128,64"),
    )

    assert posted(service) == {
        **{"model": "big", "dataset": "mnist", "epochs": 10, "batch_size": 64, "seed": 0},
        "promote": "never",
        "optimizer": {"type": "adam", "learning_rate": 0.01},
        "network": [
            {"type": "dense", "units": 128},
            {"type": "relu"},
            {"type": "dense", "units": 64},
            {"type": "relu"},
            {"type": "dense", "units": 10},
        ],
    }


def test_set_reaches_every_key_and_wins(service: Any, inkwell: Call) -> None:
    service.on("POST /api/v1/jobs", job("queued"), 202)

    inkwell(
        *("train", "--epochs", 3, "--set", "optimizer.learning_rate=0.01", "--set", "epochs=5"),
        *(
            "--set",
            "schedule=one_cycle",
            "--set",
            "schedule.warm_up=0.2",
            "--set",
            "augment.shift=2",
        ),
    )

    assert posted(service) == {
        **{"model": "digits", "dataset": "digits", "epochs": 5, "augment": {"shift": 2}},
        "optimizer": {"type": "adam", "learning_rate": 0.01},
        "schedule": {"type": "one_cycle", "warm_up": 0.2},
    }


@pytest.mark.parametrize("text", ["epochs", "=5", "optimizer.=1", ".a=1"])
def test_a_set_that_is_none_is_a_usage_error(inkwell: Call, text: str) -> None:
    answered = inkwell("train", "--set", text)

    assert answered.exit_code == 2
    assert "is not of the form key=value" in answered.stderr


def test_train_options_win_over_the_file_and_keep_the_rest_of_it(
    service: Any, inkwell: Call, tmp_path: Path
) -> None:
    config = {"model": "m", "epochs": 3, "optimizer": {"type": "sgd", "momentum": 0.9}}
    (tmp_path / "job.json").write_text(json.dumps(config))
    service.on("POST /api/v1/jobs", job("queued"), 202)

    inkwell("train", "--config", tmp_path / "job.json", "--epochs", 5, "--learning-rate", 0.1)

    assert posted(service) == {
        **{"model": "m", "dataset": "digits", "epochs": 5},
        "optimizer": {"type": "sgd", "momentum": 0.9, "learning_rate": 0.1},
    }


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("{", "job.json is not JSON: "),
        ("[1]", "job.json must hold one JSON object"),
        ('{"optimizer": "adam"}', "job.json: optimizer must be an object"),
        ('{"epochs": NaN}', "job.json is not JSON: NaN is not a number of JSON"),
    ],
)
def test_a_config_file_that_holds_no_config_is_named(
    inkwell: Call, tmp_path: Path, text: str, line: str
) -> None:
    (tmp_path / "job.json").write_text(text)

    answered = inkwell("train", "--config", tmp_path / "job.json")

    assert answered.exit_code == 1
    assert answered.stderr.startswith(f"Error: {line}")


@pytest.mark.parametrize("widths", ["", "a", "128,", "0", "-4"])
def test_widths_that_are_none_are_a_usage_error(inkwell: Call, widths: str) -> None:
    answered = inkwell("train", f"--hidden={widths}")

    assert answered.exit_code == 2
    assert "is not a list of widths like 128,64" in answered.stderr


def test_train_waits_and_prints_an_epoch_a_line_and_the_result(service: Any, inkwell: Call) -> None:
    result = {"version": 4, "test_accuracy": 0.98, "promoted": True, "reason": "0.98 > 0.97"}
    service.on("POST /api/v1/jobs", job("queued"), 202)
    service.on("GET /api/v1/jobs/j1", job("queued"))
    service.on("GET /api/v1/jobs/j1", job("started", history=[epoch(1)]))
    both = [epoch(1), epoch(2)]
    service.on("GET /api/v1/jobs/j1", job("finished", history=both, result=result))

    answered = inkwell("train", "--wait")

    assert answered.exit_code == 0
    assert answered.output.splitlines() == [
        "Job j1",
        "epoch 1/2  loss 1.0000  validation accuracy 0.9000",
        "epoch 2/2  loss 0.5000  validation accuracy 0.9000",
        "digits version 4, test accuracy 0.9800, promoted: 0.98 > 0.97",
    ]


def test_a_job_that_fails_while_waited_for_ends_with_its_error(service: Any, inkwell: Call) -> None:
    service.on("POST /api/v1/jobs", job("queued"), 202)
    service.on("GET /api/v1/jobs/j1", job("failed", error="The loss is no longer finite"))

    answered = inkwell("train", "--wait")

    assert answered.exit_code == 1
    assert answered.stderr == "Error: Job j1 failed: The loss is no longer finite\n"


def test_waiting_survives_a_service_that_is_away_for_a_moment(service: Any, inkwell: Call) -> None:
    service.on("POST /api/v1/jobs", job("queued"), 202)
    service.on("GET /api/v1/jobs/j1", {"title": "Service Unavailable"}, 503)
    service.on("GET /api/v1/jobs/j1", job("finished", result={"version": 1, "promoted": False}))

    answered = inkwell("train", "--wait")

    assert answered.exit_code == 0
    assert answered.output.splitlines()[-1] == "digits version 1, not promoted"


def test_waiting_for_a_job_that_is_gone_ends_at_once(service: Any, inkwell: Call) -> None:
    service.on("POST /api/v1/jobs", job("queued"), 202)
    service.on("GET /api/v1/jobs/j1", {"detail": "No job j1"}, 404)

    answered = inkwell("train", "--wait")

    assert (answered.exit_code, answered.stderr) == (1, "Error: No job j1\n")


def test_train_with_json_prints_the_job_and_nothing_else(service: Any, inkwell: Call) -> None:
    ended = job("finished", history=[epoch(1)], result={"version": 1})
    service.on("POST /api/v1/jobs", job("queued"), 202)
    service.on("GET /api/v1/jobs/j1", ended)

    assert json.loads(inkwell("train", "--wait", "--json").stdout) == ended


def test_a_refused_config_is_one_line_with_its_pointers(service: Any, inkwell: Call) -> None:
    problem = {
        "detail": "The config is not valid",
        "errors": [{"pointer": "/dataset", "detail": "no data set 'mnits'; did you mean mnist?"}],
    }
    service.on("POST /api/v1/jobs", problem, 422)

    answered = inkwell("train", "--dataset", "mnits")

    assert answered.exit_code == 1
    line = "The config is not valid: /dataset no data set 'mnits'; did you mean mnist?"
    assert answered.stderr == f"Error: {line}\n"


# One job


def test_a_job_is_a_line_whatever_its_state(service: Any, inkwell: Call) -> None:
    service.on("GET /api/v1/jobs/j1", job("queued"))
    service.on("GET /api/v1/jobs/j1", job("started", history=[epoch(1)]))
    service.on("GET /api/v1/jobs/j1", job("finished", result={"version": 1, "promoted": True}))
    service.on("GET /api/v1/jobs/j1", job("failed", error="No room"))

    answered = [inkwell("job", "j1") for _ in range(4)]

    assert [one.output.splitlines()[0] for one in answered] == [
        "Job j1 is queued",
        "Job j1 is started: epoch 1/2  loss 1.0000  validation accuracy 0.9000",
        "digits version 1, promoted",
        "Job j1 failed: No room",
    ]
    assert [one.exit_code for one in answered] == [0, 0, 0, 1]


@pytest.mark.parametrize("order", ["stop", "resume"])
def test_orders_about_a_job_are_given(service: Any, inkwell: Call, order: str) -> None:
    service.on(f"POST /api/v1/jobs/j1/{order}", job("started", stopping=order == "stop"), 202)

    answered = inkwell("job", "j1", order)

    assert answered.exit_code == 0, answered.output
    assert answered.output.startswith("Job j1 is started")


def test_an_order_that_does_not_fit_is_an_error(service: Any, inkwell: Call) -> None:
    refusal = {"detail": "A job that is finished cannot be stopped."}
    service.on("POST /api/v1/jobs/j1/stop", refusal, 409)

    answered = inkwell("job", "j1", "stop")

    assert (answered.exit_code, answered.stderr) == (1, f"Error: {refusal['detail']}\n")


def test_the_log_of_a_job_is_its_story(service: Any, inkwell: Call) -> None:
    story = [{"at": "2026-11-24T02:00:00Z", "event": "Enqueued."}]
    service.on("GET /api/v1/jobs/j1", job("queued", story=story))

    assert "Enqueued." in inkwell("job", "j1", "log").stdout
    assert json.loads(inkwell("job", "j1", "log", "--json").stdout) == story


# Everything


@pytest.mark.parametrize(
    ("typed", "meant"), [("trin", "train"), ("promot", "promote"), ("model", "models")]
)
def test_a_typo_gets_the_nearest_command(inkwell: Call, typed: str, meant: str) -> None:
    answered = inkwell(typed)

    assert answered.exit_code == 2
    assert f"No such command '{typed}'. Did you mean '{meant}'?" in answered.stderr


def test_what_is_like_no_command_gets_none(inkwell: Call) -> None:
    answered = inkwell("zzzz")

    assert answered.exit_code == 2
    assert "Did you mean" not in answered.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script(inkwell: Call, shell: str) -> None:
    answered = inkwell("completion", shell)

    assert answered.exit_code == 0
    assert "_INKWELL_COMPLETE" in answered.stdout


def test_completion_knows_the_commands(inkwell: Call) -> None:
    words = {"_INKWELL_COMPLETE": "bash_complete", "COMP_WORDS": "inkwell pro", "COMP_CWORD": "1"}

    answered = subprocess.run(
        [sys.executable, "-m", "inkwell"],
        env=os.environ | words,
        capture_output=True,
        text=True,
        check=True,
    )

    assert answered.stdout == "plain,promote\n"


def test_bench_prints_what_a_service_answers(service: Any, inkwell: Call) -> None:
    predicting(service)

    answered = inkwell("bench", "--seconds", 0.2, "--connections", 2, "--batch", 3, "--json")

    assert answered.exit_code == 0, answered.output
    (measured,) = json.loads(answered.stdout)
    assert measured["batch"] == 3
    assert measured["images_per_second"] == pytest.approx(3 * measured["requests_per_second"])
    assert len(service.requests[0][2]) == 3 * 784


def test_bench_ends_with_what_the_service_refuses(service: Any, inkwell: Call) -> None:
    service.on("POST /api/v1/models/digits/predict", {"detail": "No version is live."}, 503)

    answered = inkwell("bench", "--seconds", 5)

    assert (answered.exit_code, answered.stderr) == (1, "Error: No version is live.\n")


READY = {"ready": True, "model": "digits", "version": 2, "reason": None, "refused": []}
WORKER = {"name": "w", "born_at": None, "seen_at": None, "job_id": None}


def findings(inkwell: Call, code: int, **options: Any) -> dict[str, tuple[str, str]]:
    answered = inkwell("doctor", "--json", **options)
    assert answered.exit_code == code, answered.output
    return {one["what"]: (one["state"], one["finding"]) for one in json.loads(answered.stdout)}


def test_doctor_finds_nothing_where_all_is_well(
    service: Any, inkwell: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "SLOW_SECONDS", float("inf"))
    service.on("GET /livez", {"status": "alive"})
    service.on("GET /readyz", READY)
    service.on("GET /api/v1/system", {"waiting": {"normal": 1}, "workers": [WORKER]})

    found = findings(inkwell, 0, env={"INKWELL_ADMIN_TOKEN": "secret"})

    assert {state for state, _ in found.values()} == {"ok"}
    assert found["model"][1] == "digits version 2 answers"
    assert set(found) >= {"store", "disk", "admin token", "BLAS threads", "Redis", "workers"}


def test_doctor_says_what_is_wrong_and_ends_with_one(
    service: Any, inkwell: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "SLOW_SECONDS", 0.0)
    service.on("GET /livez", {"status": "alive"})
    service.on("GET /readyz", READY | {"ready": False, "reason": "None is live."}, 503)
    service.on("GET /api/v1/system", {"waiting": {"normal": 1}, "workers": []})

    found = findings(inkwell, 1, env={"OPENBLAS_NUM_THREADS": "4096"})

    assert found["model"] == ("wrong", "digits: None is live.")
    assert found["workers"][0] == "wrong"
    assert found["BLAS threads"][0] == "mind"
    assert found["admin token"][0] == "mind"
    assert found["time-outs"][0] == "mind"


def test_doctor_tells_of_redis_and_of_a_service_that_is_away(
    service: Any, inkwell: Call, free_port: int
) -> None:
    service.on("GET /livez", {"status": "alive"})
    service.on("GET /readyz", READY)
    service.on("GET /api/v1/system", {"waiting": None, "workers": None})

    assert findings(inkwell, 1)["Redis"] == ("wrong", "the service cannot reach it")
    away = inkwell("--url", f"http://127.0.0.1:{free_port}", "doctor")
    assert away.exit_code == 1
    assert "start one with `inkwell up`" in away.stdout


def test_the_versions_of_a_model_are_listed(service: Any, inkwell: Call) -> None:
    row = {
        **{"version": 2, "aliases": ["live"], "test_accuracy": 0.98, "dataset": "mnist"},
        **{"parameters": 109386, "parent": 1, "created_at": "2026-11-24T02:00:00Z"},
    }
    damaged = {"version": 1, "aliases": [], "error": "Its manifest is no JSON."}
    page = {"versions": [row, damaged], "next_cursor": None}
    service.on("GET /api/v1/models/digits/versions?limit=20", page)

    lines = inkwell("versions", "digits").stdout.splitlines()

    assert lines[1].split()[:6] == ["2", "live", "0.9800", "mnist", "109386", "1"]
    assert "Its manifest is no JSON." in lines[2]
    assert json.loads(inkwell("versions", "digits", "--json").stdout) == page


def test_a_bad_setting_is_one_line(inkwell: Call) -> None:
    answered = inkwell("models", env={"INKWELL_PORT": "http"})

    assert answered.exit_code == 1
    line = "Error: INKWELL_PORT must be a number from 1 to 65535, got 'http'\n"
    assert answered.stderr == line


def test_promote_says_what_is_served_now(service: Any, inkwell: Call) -> None:
    service.on("PUT /api/v1/models/digits/aliases/live", {"version": 2})

    answered = inkwell("--token", "secret", "promote", "digits", 2, "--reason", "trusted")

    assert answered.output == "digits version 2 is live.\n"
    _, headers, body = service.requests[-1]
    assert headers["Authorization"] == "Bearer secret"
    actor = getpass.getuser()
    assert json.loads(body) == {"version": 2, "reason": "trusted", "actor": actor}


def test_rollback_says_what_is_served_again(service: Any, inkwell: Call) -> None:
    service.on("POST /api/v1/models/digits/rollback", {"version": 1, "previous": 2})

    answered = inkwell("--token", "secret", "rollback", "digits", "--reason", "misreads sevens")

    assert answered.output == "digits version 1 is live, after 2.\n"
    _, _, body = service.requests[-1]
    assert json.loads(body) == {
        "alias": "live",
        "reason": "misreads sevens",
        "actor": getpass.getuser(),
    }


@pytest.mark.parametrize(
    "command",
    [
        ("promote", "digits", "best"),
        ("train", "--epochs", "0"),
        ("train", "--learning-rate", "nan"),
    ],
)
def test_a_usage_error_ends_with_two(inkwell: Call, command: tuple[str, ...]) -> None:
    assert inkwell(*command).exit_code == 2
