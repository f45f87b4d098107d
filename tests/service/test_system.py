from tests.conftest import publish


def ask(client, version, times):
    for _ in range(times):
        address = f"/api/v1/models/digits/versions/{version}/predict"
        client.post(address, data=bytes(784), content_type="application/octet-stream")


def test_the_system_tells_what_was_answered_and_what_each_process_answers_with(
    client, registry, live
):
    second = publish(registry, seed=1)
    ask(client, live, 2)
    ask(client, second, 1)

    told = client.get("/api/v1/system").json

    (process,) = told["processes"]
    assert process["serves"] == [{"model": "digits", "version": second}]
    requests = {line["version"]: (line["requests"], line["rows"]) for line in told["answered"]}
    assert requests == {live: (2, 2), second: (1, 1)}
    assert all(line["seconds"] > 0 for line in told["answered"])


def test_the_system_is_told_of_without_redis_too(client):
    response = client.get("/api/v1/system")

    assert response.status_code == 200
    assert (response.json["waiting"], response.json["workers"]) == (None, None)
    assert response.json["processes"] == response.json["answered"] == []


def test_pages_are_looked_at_anew_each_time_and_their_files_cost_nothing_then(client):
    page = client.get("/")
    script = client.get("/static/try.js", buffered=True)
    again = client.get(
        "/static/try.js", headers={"If-None-Match": script.headers["ETag"]}, buffered=True
    )

    assert page.headers["Cache-Control"] == script.headers["Cache-Control"] == "no-cache"
    assert script.mimetype == "text/javascript"
    assert again.status_code == 304


def test_the_pages_work_below_a_prefix(client):
    page = client.get("/", environ_overrides={"SCRIPT_NAME": "/inkwell"}).text

    assert 'data-root="/inkwell"' in page
    assert 'src="/inkwell/static/try.js"' in page
