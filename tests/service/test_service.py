"""Models, aliases, tokens, health, errors, and the queue when Redis is down."""

import errno
import json
import os
import stat
import threading

import numpy as np
import pytest

from service.app import create_app
from service.settings import Settings, SettingsError
from tests.conftest import classifier_of, publish

OCTETS = "application/octet-stream"
PIXELS = bytes(range(256)) * 3 + bytes(16)


def predict(client, path="/api/v1/predict"):
    return client.post(path, data=PIXELS, content_type=OCTETS)


def damage(settings, number):
    path = settings.store / f"models/digits/versions/{number}/weights.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"\xff")


def flip_a_byte(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 16
    path.write_bytes(content)
    # Some disks note times coarsely: this one is another for certain.
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 1))


def test_without_a_version_predicting_says_when_to_try_again(client):
    response = predict(client)

    assert response.status_code == 503
    assert response.headers["Retry-After"]
    assert "Train one: POST /api/v1/jobs" in response.json["detail"]


def test_a_model_with_versions_but_none_live_is_not_ready_yet(client, registry):
    publish(registry, live=False)

    for path in ("/api/v1/predict", "/api/v1/models/digits/predict"):
        response = predict(client, path)
        assert response.status_code == 503
        assert "Promote one: PUT /api/v1/models/digits/aliases/live" in response.json["detail"]
    assert predict(client, "/api/v1/models/digits/versions/1/predict").status_code == 200


def test_ready_turns_with_the_first_live_version(client, registry):
    before = client.get("/readyz")
    publish(registry)
    after = client.get("/readyz")

    assert (before.status_code, before.json["ready"]) == (503, False)
    assert (after.status_code, after.json["version"]) == (200, 1)
    assert client.get("/livez").status_code == 200


def test_a_promotion_is_answered_with_by_the_next_request_in_every_process(settings, registry):
    publish(registry, seed=1)
    processes = [create_app(settings).test_client() for _ in range(3)]
    publish(registry, seed=2, live=False)

    for version in (1, 2, 1, 2):
        registry.promote("digits", version)
        assert [predict(client).json["version"] for client in processes] == [version] * 3


def test_a_damaged_version_is_refused_and_the_old_one_keeps_answering(client, registry, settings):
    publish(registry, seed=1)
    good = predict(client).json["predictions"]
    publish(registry, seed=2)
    damage(settings, 2)

    answer = predict(client)
    ready = client.get("/readyz")

    assert (answer.status_code, answer.json["version"]) == (200, 1)
    assert answer.json["predictions"] == good
    assert ready.status_code == 200
    assert ready.json["refused"][0]["alias"] == "live"
    assert "SHA-256" in ready.json["refused"][0]["reason"]

    publish(registry, seed=3)
    assert predict(client).json["version"] == 3
    assert client.get("/readyz").json["refused"] == []


LOADED = ["weights.safetensors", "golden.safetensors", "manifest.json"]


@pytest.mark.parametrize("name", LOADED)
def test_one_byte_flipped_the_version_is_refused_the_old_one_answers_and_readyz_tells(
    client, registry, settings, name
):
    publish(registry, seed=1)
    assert predict(client).json["version"] == 1
    flip_a_byte(settings.store / f"models/digits/versions/{publish(registry, seed=2)}" / name)

    served = predict(client).json["version"]
    ready = client.get("/readyz")

    assert (served, ready.status_code, ready.json["version"]) == (1, 200, 1)
    assert ready.json["refused"][0]["model"] == "digits"
    assert name in ready.json["refused"][0]["reason"]
    assert predict(client, "/api/v1/models/digits/versions/2/predict").status_code == 503


@pytest.fixture
def checked_each_time(monkeypatch):
    """Files are looked at by each request, instead of by one every five seconds."""
    monkeypatch.setattr("service.served.SECONDS_BETWEEN_CHECKS", 0)


@pytest.mark.parametrize("name", LOADED)
def test_one_byte_flipped_of_what_answers_it_goes_on_and_readyz_tells_until_it_is_mended(
    client, registry, settings, checked_each_time, name
):
    publish(registry, seed=1)
    publish(registry, seed=2)
    good = predict(client).json["predictions"]
    path = settings.store / "models/digits/versions/2" / name
    whole = path.read_bytes()

    flip_a_byte(path)
    damaged = client.get("/readyz").json
    answer = predict(client).json
    path.write_bytes(whole)
    mended = client.get("/readyz").json

    assert (damaged["ready"], damaged["version"]) == (True, 2)
    assert name in damaged["refused"][0]["reason"]
    assert (answer["version"], answer["predictions"]) == (2, good)
    assert (mended["version"], mended["refused"]) == (2, [])


def test_readyz_tells_of_what_answers_and_is_not_there_any_more(
    client, registry, settings, checked_each_time
):
    publish(registry)
    predict(client)

    (settings.store / "models/digits/versions/1").rename(settings.store / "elsewhere")

    assert client.get("/readyz").json["refused"][0]["model"] == "digits"
    assert predict(client).json["version"] == 1


def test_a_version_whose_files_another_has_replaced_answers_as_that_one(
    client, registry, settings, checked_each_time
):
    for seed in (1, 2):
        publish(registry, seed=seed, live=seed == 1)
    predict(client)
    other = predict(client, "/api/v1/models/digits/versions/2/predict").json["predictions"]
    versions = settings.store / "models/digits/versions"

    (versions / "1").rename(settings.store / "elsewhere")
    (versions / "2").rename(versions / "1")
    answer = predict(client).json

    assert (answer["version"], answer["predictions"]) == (1, other)


def test_readyz_tells_of_the_other_aliases_though_nobody_asks_for_them(
    client, registry, settings, checked_each_time
):
    publish(registry)
    publish(registry, model="other")
    predict(client)
    predict(client, "/api/v1/models/other/predict")

    flip_a_byte(settings.store / "models/other/versions/1/manifest.json")

    assert client.get("/readyz").json["refused"][0]["model"] == "other"


def test_a_damaged_version_with_nothing_before_it_is_told(client, registry, settings):
    publish(registry)
    (settings.store / "models/digits/versions/1/manifest.json").write_text("{")

    response = predict(client)

    assert response.status_code == 503
    assert response.json["type"] == "urn:inkwell:problem:version-refused"
    assert client.get("/readyz").status_code == 503


def test_promoting_a_damaged_version_is_refused(client, registry, settings, admin):
    for seed in (1, 2):
        publish(registry, seed=seed, live=seed == 1)
    damage(settings, 2)

    response = client.put("/api/v1/models/digits/aliases/live", json={"version": 2}, headers=admin)

    assert response.status_code == 409
    assert "SHA-256" in response.json["detail"]
    assert predict(client).json["version"] == 1


def test_a_new_process_answers_as_the_old_ones_where_the_live_version_is_damaged(
    settings, registry
):
    for seed in (1, 2, 3):
        publish(registry, seed=seed)
    damage(settings, 3)

    client = create_app(settings).test_client()

    assert predict(client).json["version"] == 2
    assert client.get("/readyz").json["refused"][0]["alias"] == "live"


def test_a_damaged_version_does_not_spoil_the_list_of_versions(client, registry, settings):
    for seed in (1, 2):
        publish(registry, seed=seed)
    (settings.store / "models/digits/versions/2/manifest.json").write_text("{}")

    versions = client.get("/api/v1/models/digits/versions").json["versions"]

    assert [v["version"] for v in versions] == [2, 1]
    assert "schema" in versions[0]["error"]
    assert versions[1]["test_accuracy"] == 0.1


def test_a_store_that_takes_the_place_of_another_is_seen(client, registry, settings):
    publish(registry, seed=1)
    before = predict(client).json["predictions"]
    (settings.store / "models").rename(settings.store / "elsewhere")
    publish(registry, seed=2)

    after = predict(client).json

    assert after["version"] == 1
    assert after["predictions"] != before


@pytest.mark.parametrize("reference", ["%00", "a%00", ".", "..", "9" * 300, "²"])
def test_a_strange_reference_is_not_found(client, live, reference):
    response = predict(client, f"/api/v1/models/digits/versions/{reference}/predict")

    assert response.status_code == 404


def test_serving_goes_on_when_the_store_is_gone(client, registry, settings):
    publish(registry)
    expected = predict(client).json["predictions"]

    (settings.store / "models").rename(settings.store / "elsewhere")
    assert predict(client).json["predictions"] == expected

    (settings.store / "elsewhere").rename(settings.store / "models")
    publish(registry, seed=9)
    assert predict(client).json["version"] == 2


def test_threads_that_ask_during_a_promotion_get_whole_answers(app, registry):
    for seed in (1, 2):
        publish(registry, seed=seed)
    expected = {
        n: classifier_of(registry, n).predict(np.frombuffer(PIXELS, np.uint8)[None])[0]
        for n in (1, 2)
    }
    failures, stop = [], threading.Event()

    def ask():
        client = app.test_client()
        while not stop.is_set():
            answer = predict(client)
            right = answer.status_code == 200 and answer.json["predictions"][0]["label"] == str(
                expected[answer.json["version"]]
            )
            if not right:
                failures.append(answer.text)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for i in range(60):
        registry.promote("digits", 1 + i % 2)
    stop.set()
    for thread in threads:
        thread.join()

    assert failures == []


def test_models_and_versions_are_listed_newest_first(client, registry):
    publish(registry, seed=1)
    publish(registry, seed=2, live=False)
    publish(registry, model="other")

    models = client.get("/api/v1/models").json["models"]
    versions = client.get("/api/v1/models/digits/versions").json["versions"]
    one = client.get("/api/v1/models/digits/versions/live").json

    assert [(m["name"], m["live"], m["latest"]) for m in models] == [
        ("digits", 1, 2),
        ("other", 1, 1),
    ]
    assert client.get("/api/v1/models/digits").json == models[0]
    assert [(v["version"], v["aliases"]) for v in versions] == [(2, []), (1, ["live"])]
    assert (one["version"], one["seed"], one["aliases"]) == (1, 1, ["live"])
    assert (one["layers"][0]["type"], one["layers"][0]["units"]) == ("dense", 32)


def test_versions_come_in_pages(client, registry):
    for seed in range(5):
        publish(registry, seed=seed)
    address, cursor, seen = "/api/v1/models/digits/versions", None, []

    for _ in range(3):
        page = client.get(
            address, query_string={"limit": 2, **({"cursor": cursor} if cursor else {})}
        )
        seen.append([row["version"] for row in page.json["versions"]])
        cursor = page.json["next_cursor"]

    assert seen == [[5, 4], [3, 2], [1]]
    assert cursor is None


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=x", "cursor=x", "cursor=-1"])
def test_a_page_that_is_none_is_refused(client, live, query):
    assert client.get(f"/api/v1/models/digits/versions?{query}").status_code == 422


def test_a_version_that_no_alias_names_can_be_deleted_and_its_number_does_not_come_again(
    client, registry, admin
):
    for seed in range(3):
        publish(registry, seed=seed, live=seed == 0)
    predict(client, "/api/v1/models/digits/versions/3/predict")

    response = client.delete("/api/v1/models/digits/versions/3", headers=admin)

    assert (response.status_code, response.data) == (204, b"")
    assert registry.versions("digits") == [1, 2]
    assert predict(client, "/api/v1/models/digits/versions/3/predict").status_code == 404
    assert client.delete("/api/v1/models/digits/versions/3", headers=admin).status_code == 404
    assert publish(registry, live=False) == 4


@pytest.mark.parametrize("version", ["1", "2", "live", "previous"])
def test_a_version_that_an_alias_names_is_not_deleted(client, registry, admin, version):
    for seed in (1, 2):
        publish(registry, seed=seed)

    response = client.delete(f"/api/v1/models/digits/versions/{version}", headers=admin)

    assert response.status_code == 409
    assert response.json["type"] == "urn:inkwell:problem:version-in-use"
    name = "live" if version in ("2", "live") else "previous"
    assert f"is named by: {name}" in response.json["detail"]
    assert registry.versions("digits") == [1, 2]


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/models/nope",
        "/api/v1/models/nope/versions",
        "/api/v1/models/nope/history",
        "/api/v1/models/digits/versions/7",
        "/api/v1/nope",
        "/nope",
        "/api/v1/models/..%2f..%2fetc/versions",
    ],
)
def test_what_is_not_there_is_a_problem_document(client, live, path):
    response = client.get(path)

    assert response.status_code == 404
    assert response.mimetype == "application/problem+json"


def test_a_wrong_method_is_told_with_the_right_ones(client):
    response = client.get("/api/v1/predict")

    assert response.status_code == 405
    assert "POST" in response.headers["Allow"]
    assert response.mimetype == "application/problem+json"


CHANGING = [
    ("POST", "/api/v1/jobs"),
    ("PUT", "/api/v1/models/digits/aliases/live"),
    ("POST", "/api/v1/models/digits/rollback"),
    ("DELETE", "/api/v1/models/digits/versions/1"),
]


@pytest.mark.parametrize(("method", "path"), CHANGING)
@pytest.mark.parametrize(
    ("header", "status"),
    [
        (None, 401),
        ("Basic c2VjcmV0", 401),
        ("Bearer", 401),
        ("Bearer wrong", 403),
        ("Bearer secre", 403),
        ("Bearer \xe9", 403),
    ],
)
def test_what_changes_something_wants_the_token(client, live, method, path, header, status):
    headers = {"Authorization": header} if header else {}

    response = client.open(path, method=method, json={"version": 1}, headers=headers)

    assert response.status_code == status
    assert ("WWW-Authenticate" in response.headers) == (status == 401)


def test_without_a_token_one_is_made_once_and_kept_for_its_owner_alone(tmp_path):
    settings = Settings(store=tmp_path / "store")

    first, second = (create_app(settings).extensions["admin_token"] for _ in range(2))

    path = tmp_path / "store" / "admin_token"
    assert first == second == path.read_text().strip()
    assert len(first) >= 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [p.name for p in path.parent.iterdir()] == ["admin_token"]


def test_an_empty_token_file_is_replaced_and_an_empty_token_opens_nothing(tmp_path):
    path = tmp_path / "store" / "admin_token"
    path.parent.mkdir()
    path.touch()

    app = create_app(Settings(store=tmp_path / "store"))
    response = app.test_client().post("/api/v1/jobs", headers={"Authorization": "Bearer \xa0"})

    assert len(app.extensions["admin_token"]) >= 32
    assert response.status_code == 403


def test_a_token_is_taken_without_the_line_end_of_its_file(tmp_path):
    settings = Settings(store=tmp_path, admin_token="secret\n")

    assert create_app(settings).extensions["admin_token"] == "secret"


def test_without_a_place_for_a_token_predicting_goes_on_and_nothing_can_be_changed(tmp_path):
    (tmp_path / "store").touch()  # a file where the folder should be
    client = create_app(Settings(store=tmp_path / "store")).test_client()

    response = client.post("/api/v1/jobs", headers={"Authorization": "Bearer x"})

    assert response.status_code == 503
    assert client.get("/livez").status_code == 200


@pytest.mark.parametrize(
    ("given", "kept"), [("abc-1.2:3", True), ("a b", False), ("x" * 129, False), ("", False)]
)
def test_a_sane_request_id_comes_back_and_another_is_replaced(client, given, kept):
    response = client.get("/livez", headers={"X-Request-ID": given})

    assert (response.headers["X-Request-ID"] == given) == kept
    assert response.headers["X-Request-ID"]


@pytest.mark.parametrize(
    ("change", "pointers"),
    [
        ({"epochs": 0}, ["/epochs"]),
        ({"epoch": 3, "batch_size": "x"}, ["/epoch", "/batch_size"]),
        ({"dataset": "mnits"}, ["/dataset"]),
        ({"network": [{"type": "dense", "units": 3}]}, ["/network"]),
    ],
)
def test_a_wrong_config_is_told_before_the_queue_is_asked(client, admin, change, pointers):
    response = client.post(
        "/api/v1/jobs", json={"model": "m", "dataset": "mnist"} | change, headers=admin
    )

    assert response.status_code == 422
    assert [e["pointer"] for e in response.json["errors"]] == pointers


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b" " * 2**21, "application/json", 413),
        (b"{", "application/json", 400),
        (b"[]", "application/json", 422),
        (b"{}", "text/xml", 415),
    ],
)
def test_a_job_that_is_no_json_object_is_refused(client, admin, body, content_type, status):
    response = client.post("/api/v1/jobs", data=body, content_type=content_type, headers=admin)

    assert response.status_code == status


def test_a_dry_run_starts_nothing_and_tells_what_the_run_needs(client, admin):
    response = client.post(
        "/api/v1/jobs?dry_run=true", json={"model": "m", "dataset": "mnist"}, headers=admin
    )

    told = response.json
    assert response.status_code == 200  # there is no Redis here
    assert told["config"]["epochs"] == 10
    assert told["parameters"] == 784 * 128 + 128 + 128 * 64 + 64 + 64 * 10 + 10
    assert 60_000 * 784 < told["memory_bytes"] < 500 * 2**20
    assert told["rows_per_second"] > 0
    assert told["seconds_from"] == "timed steps"
    assert told["seconds"] == pytest.approx(10 * 60_000 * 0.9 / told["rows_per_second"], rel=0.1)


def test_a_dry_run_refuses_what_a_job_would_be_refused_for(client, admin):
    body = {"model": "m", "dataset": "minst", "forcee": True, "priority": "urgent"}
    response = client.post("/api/v1/jobs?dry_run=true", json=body, headers=admin)

    errors = {error["pointer"]: error["detail"] for error in response.json["errors"]}
    assert response.status_code == 422
    assert set(errors) == {"/dataset", "/forcee", "/priority"}
    assert "Did you mean 'force'?" in errors["/forcee"]
    assert "Did you mean 'mnist'?" in errors["/dataset"]


@pytest.mark.parametrize("query", ["dry_run=yes", "dryrun=true", "dry_run"])
def test_a_wrong_query_queues_nothing(client, admin, query):
    body = {"model": "m", "dataset": "mnist"}

    response = client.post(f"/api/v1/jobs?{query}", json=body, headers=admin)

    assert response.status_code == 422


JOB = {"model": "m", "dataset": "mnist"}
SWEEP = {"base": JOB, "grid": {"batch_size": [16, 32]}}


@pytest.mark.parametrize(("path", "body"), [("jobs", JOB), ("sweeps", SWEEP)])
@pytest.mark.parametrize("key", ["", "x" * 256, "\xe9"])
def test_a_wrong_idempotency_key_is_refused(client, admin, path, body, key):
    response = client.post(f"/api/v1/{path}", json=body, headers=admin | {"Idempotency-Key": key})

    assert response.status_code == 422
    assert "1 to 255 printable" in response.json["detail"]


def test_a_full_or_broken_disk_is_told(client, registry, admin, live, monkeypatch):
    publish(registry, live=False)
    for code, status in ((errno.ENOSPC, 507), (errno.EROFS, 503)):
        error = OSError(code, os.strerror(code))

        def fail(*args, error=error, **kwargs):
            raise error

        monkeypatch.setattr("nncore.model_folder.replace_file", fail)
        response = client.put(
            "/api/v1/models/digits/aliases/live", json={"version": 2}, headers=admin
        )

        assert response.status_code == status
        assert response.mimetype == "application/problem+json"


def test_with_redis_down_jobs_answer_503_and_predictions_go_on(client, registry, admin, live):
    posted = client.post("/api/v1/jobs", json={"model": "m", "dataset": "mnist"}, headers=admin)

    for response in (posted, client.get("/api/v1/jobs"), client.get("/api/v1/jobs/some-id")):
        assert response.status_code == 503
        assert response.headers["Retry-After"]
        assert response.mimetype == "application/problem+json"
    assert predict(client).status_code == 200
    assert client.get("/readyz").status_code == 200


def test_an_unforeseen_fault_is_a_problem_document_without_a_trace(client, app, live, monkeypatch):
    def fail(model, reference):
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr(app.extensions["served_models"], "get", fail)

    response = predict(client)

    assert response.status_code == 500
    assert response.mimetype == "application/problem+json"
    assert "secret detail" not in response.text
    assert response.json["request_id"] in response.json.values()


def test_a_store_in_a_bucket_wants_an_admin_token():
    environ = {"INKWELL_STORE": "s3://bucket/prefix/", "INKWELL_CACHE": "/copies"}
    with pytest.raises(SettingsError, match="INKWELL_ADMIN_TOKEN: set one"):
        Settings.from_env(environ)

    store = Settings.from_env(environ | {"INKWELL_ADMIN_TOKEN": "token"}).store

    assert (store.url, str(store.cache)) == ("s3://bucket/prefix", "/copies")


def test_settings_come_from_the_environment_and_empty_means_unset():
    settings = Settings.from_env(
        {"INKWELL_PORT": "9000", "INKWELL_MODEL": "m", "INKWELL_ADMIN_TOKEN": "", "HOME": "/"}
    )

    assert (settings.port, settings.model, settings.admin_token) == (9000, "m", None)
    assert settings.store.is_absolute()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("INKWELL_STORE", "ftp://bucket/prefix"),
        ("INKWELL_PORT", "http"),
        ("INKWELL_PORT", "70000"),
        ("INKWELL_WEB_WORKERS", "0"),
        ("INKWELL_MAX_ROWS", "-5"),
        ("INKWELL_LOG", "xml"),
    ],
)
def test_a_wrong_setting_is_told_by_its_name(name, value):
    with pytest.raises(SettingsError) as caught:
        Settings.from_env({name: value})

    assert name in str(caught.value)
    assert value in str(caught.value)


def test_an_answer_is_strict_json(client, live):
    def refuse(constant):
        raise AssertionError(constant)

    json.loads(predict(client).data, parse_constant=refuse)
