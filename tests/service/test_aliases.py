"""Moving aliases over HTTP: conditions, rollback, history, and versions as they were at a time."""

import time
from datetime import UTC, datetime

import pytest

from tests.conftest import publish

ALIASES = "/api/v1/models/digits/aliases"
LIVE = f"{ALIASES}/live"
ROLLBACK = "/api/v1/models/digits/rollback"
HISTORY = "/api/v1/models/digits/history"


@pytest.fixture
def two(registry):
    """Versions 1 and 2 of the default model, 2 live."""
    for seed in (1, 2):
        publish(registry, seed=seed)


def answering(client, reference="live"):
    return client.post(
        f"/api/v1/models/digits/versions/{reference}/predict",
        data=bytes(784),
        content_type="application/octet-stream",
    )


def test_the_admin_moves_an_alias_and_the_history_says_so(client, two, admin):
    body = {"version": 1, "reason": "2 misreads sevens", "actor": "anna"}

    response = client.put(LIVE, json=body, headers=admin)

    moved = response.json
    assert (moved["model"], moved["alias"]) == ("digits", "live")
    assert (moved["version"], moved["previous"]) == (1, 2)
    assert answering(client).json["version"] == 1
    last = client.get(HISTORY).json["history"][-1]
    assert last == {
        "at": moved["at"],
        "alias": "live",
        "from": 2,
        "to": 1,
        "reason": "2 misreads sevens",
        "actor": "anna",
    }


def test_an_alias_is_shown_as_it_was_answered_when_it_moved(client, two, admin):
    moved = client.put(f"{ALIASES}/champion", json={"version": 1}, headers=admin)

    shown = client.get(f"{ALIASES}/champion")
    listed = client.get(ALIASES).json["aliases"]

    assert shown.json == moved.json
    assert shown.headers["ETag"] == moved.headers["ETag"]
    assert shown.json["actor"] == "api"
    assert [(a["alias"], a["version"]) for a in listed] == [
        ("champion", 1),
        ("live", 2),
        ("previous", 1),
    ]


def test_of_two_that_move_an_alias_at_once_the_second_is_told(client, two, registry, admin):
    publish(registry, live=False)
    tag = client.get(LIVE).headers["ETag"]

    first, second = (
        client.put(LIVE, json={"version": version}, headers=admin | {"If-Match": tag})
        for version in (1, 3)
    )

    assert (first.status_code, second.status_code) == (200, 412)
    assert second.json["type"] == "urn:inkwell:problem:alias-moved"
    assert "'live' names 1 now" in second.json["detail"]
    assert client.get(LIVE).json["version"] == 1


def test_an_alias_that_came_back_to_its_version_has_moved_all_the_same(client, two, admin):
    tag = client.get(LIVE).headers["ETag"]
    for version in (1, 2):
        client.put(LIVE, json={"version": version}, headers=admin)

    response = client.put(LIVE, json={"version": 1}, headers=admin | {"If-Match": tag})

    assert response.status_code == 412


@pytest.mark.parametrize(
    ("alias", "condition", "status"),
    [
        ("live", {"If-Match": "*"}, 200),
        ("other", {"If-Match": "*"}, 412),
        ("other", {"If-Match": '"something"'}, 412),
        ("live", {"If-None-Match": "*"}, 412),
        ("other", {"If-None-Match": "*"}, 200),
        ("live", {"If-Match": 'W/"weak"'}, 412),
    ],
)
def test_the_conditions_of_http_hold(client, two, admin, alias, condition, status):
    response = client.put(f"{ALIASES}/{alias}", json={"version": 1}, headers=admin | condition)

    assert response.status_code == status
    assert len(client.get(HISTORY).json["history"]) == (3 if status == 200 else 2)


def test_one_of_several_tags_is_enough(client, two, admin):
    tag = client.get(LIVE).headers["ETag"]

    response = client.put(
        LIVE, json={"version": 1}, headers=admin | {"If-Match": f'"older", {tag}'}
    )

    assert response.status_code == 200


def test_a_rollback_is_one_call_and_can_be_rolled_back_itself(client, two, admin):
    back = client.post(ROLLBACK, json={"reason": "2 misreads sevens"}, headers=admin)
    served = answering(client).json["version"]
    again = client.post(ROLLBACK, headers=admin)

    assert (back.json["version"], back.json["previous"], served) == (1, 2, 1)
    assert (again.json["version"], answering(client).json["version"]) == (2, 2)
    reasons = [move["reason"] for move in client.get(HISTORY).json["history"][-2:]]
    assert reasons == ["2 misreads sevens", ""]


def test_a_rollback_may_name_an_alias_and_where_it_must_stand(client, two, admin):
    for version in (1, 2):
        client.put(f"{ALIASES}/champion", json={"version": version}, headers=admin)

    refused = client.post(
        ROLLBACK, json={"alias": "champion"}, headers=admin | {"If-Match": '"older"'}
    )
    done = client.post(ROLLBACK, json={"alias": "champion"}, headers=admin)

    assert refused.status_code == 412
    assert (done.json["alias"], done.json["version"]) == ("champion", 1)
    assert client.get(LIVE).json["version"] == 2


def test_a_rollback_with_nothing_to_go_back_to_is_refused(client, live, admin):
    response = client.post(ROLLBACK, headers=admin)

    assert response.status_code == 409
    assert response.json["type"] == "urn:inkwell:problem:nothing-before"
    assert client.post("/api/v1/models/nope/rollback", headers=admin).status_code == 404


def test_a_rollback_to_a_damaged_version_is_refused(client, two, admin, settings):
    path = settings.store / "models/digits/versions/1/weights.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"\xff")

    response = client.post(ROLLBACK, headers=admin)

    assert response.status_code == 409
    assert "SHA-256" in response.json["detail"]
    assert answering(client).json["version"] == 2


def test_the_version_that_was_live_at_a_time_answers_still(client, registry):
    publish(registry, seed=1)
    time.sleep(0.002)
    then = datetime.now(UTC)
    time.sleep(0.002)
    publish(registry, seed=2)
    moment = then.isoformat().replace("+00:00", "Z")

    assert answering(client, f"live@{moment}").json["version"] == 1
    assert answering(client, f"live@{then.astimezone().isoformat()}").json["version"] == 1
    assert answering(client, "previous").json["version"] == 1
    assert client.get(f"/api/v1/models/digits/versions/live@{moment}").json["version"] == 1


def test_previous_moves_with_live(client, two, admin):
    before = answering(client, "previous").json["version"]

    client.put(LIVE, json={"version": 1}, headers=admin)

    assert (before, answering(client, "previous").json["version"]) == (1, 2)


@pytest.mark.parametrize("moment", ["2001-01-01T00:00:00Z", "2999-01-01T00:00:00Z", "noon", "%00"])
def test_a_time_that_tells_nothing_is_not_found(client, live, moment):
    response = answering(client, f"live@{moment}")

    assert response.status_code == 404
    assert response.mimetype == "application/problem+json"


@pytest.mark.parametrize(
    ("body", "status", "pointer"),
    [
        ({"version": 9}, 404, None),
        ({"version": "1"}, 422, "/version"),
        ({"version": True}, 422, "/version"),
        ({"version": 10**4000}, 422, "/version"),
        ({}, 422, "/version"),
        ({"version": 1, "why": ""}, 422, "/why"),
        ({"version": 1, "reason": 5}, 422, "/reason"),
        ({"version": 1, "reason": "x" * 3000}, 422, "/reason"),
        ({"version": 1, "actor": ["anna"]}, 422, "/actor"),
        ({"version": 1, "actor": "x" * 300}, 422, "/actor"),
        ([], 422, ""),
    ],
)
def test_a_wrong_promotion_is_refused_and_changes_nothing(
    client, registry, admin, live, body, status, pointer
):
    response = client.put(LIVE, json=body, headers=admin)

    assert response.status_code == status
    assert [e["pointer"] for e in response.json.get("errors", [])] == (
        [] if pointer is None else [pointer]
    )
    assert len(registry.aliases("digits").history()) == 1


@pytest.mark.parametrize("alias", ["history.jsonl", ".lock", "a b", "7", "previous"])
def test_an_alias_that_is_no_name_or_has_no_place_of_its_own_is_refused(client, two, admin, alias):
    response = client.put(f"{ALIASES}/{alias}", json={"version": 1}, headers=admin)

    assert response.status_code == 422
    assert len(client.get(HISTORY).json["history"]) == 2


@pytest.mark.parametrize(
    ("body", "pointer"), [({"version": 1}, "/version"), ({"alias": 7}, "/alias"), ([], "")]
)
def test_a_wrong_rollback_is_refused(client, two, admin, body, pointer):
    response = client.post(ROLLBACK, json=body, headers=admin)

    assert response.status_code == 422
    assert [e["pointer"] for e in response.json["errors"]] == [pointer]


@pytest.mark.parametrize(
    "path", [f"{ALIASES}/nope", "/api/v1/models/nope/aliases", "/api/v1/models/nope/aliases/live"]
)
def test_an_alias_that_is_not_there_is_told(client, live, path):
    assert client.get(path).status_code == 404


def test_an_alias_that_is_removed_names_nothing_and_its_version_can_be_deleted(client, two, admin):
    champion, version = f"{ALIASES}/champion", "/api/v1/models/digits/versions/1"
    client.put(f"{ALIASES}/live", json={"version": 2}, headers=admin)
    client.put(champion, json={"version": 1}, headers=admin)
    assert answering(client, "champion").json["version"] == 1
    moved = client.get(champion).headers["ETag"]
    assert client.delete(version, headers=admin).status_code == 409

    assert client.delete(champion).status_code == 401
    refused = client.delete(champion, headers=admin | {"If-Match": '"another"'})
    removed = client.delete(champion, json={"reason": "over"}, headers=admin | {"If-Match": moved})

    assert (refused.status_code, removed.status_code) == (412, 204)
    for gone in (answering(client, "champion"), client.get(champion)):
        assert gone.status_code == 404
    assert client.delete(champion, headers=admin).status_code == 404
    assert "champion" not in str(client.get(ALIASES).json)
    last = client.get(HISTORY).json["history"][-1]
    assert (last["from"], last["to"], last["reason"]) == (1, None, "over")
    anew = client.put(champion, json={"version": 2}, headers=admin | {"If-None-Match": "*"})
    assert anew.status_code == 200
    assert answering(client, "champion").json["version"] == 2


def test_a_rollback_brings_back_an_alias_that_was_removed(client, two, admin):
    client.put(f"{ALIASES}/champion", json={"version": 1}, headers=admin)
    client.delete(f"{ALIASES}/champion", headers=admin)

    response = client.post(ROLLBACK, json={"alias": "champion"}, headers=admin)

    assert (response.status_code, response.json["version"]) == (200, 1)


@pytest.mark.parametrize(("alias", "status"), [("live", 422), ("previous", 422), ("nobody", 404)])
def test_what_answers_cannot_be_removed_nor_what_is_not_there(client, two, admin, alias, status):
    assert client.delete(f"{ALIASES}/{alias}", headers=admin).status_code == status
    assert answering(client).status_code == 200
