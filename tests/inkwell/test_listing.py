import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import Result

Call = Callable[..., Result]

VERSIONS = [
    {
        **{"version": 2, "aliases": [], "dataset": "mnist", "test_accuracy": 0.9812},
        "created_at": "2026-11-22T10:00:00Z",
    },
    {
        **{"version": 1, "aliases": ["canary", "live"], "dataset": "digits", "test_accuracy": 0.95},
        "created_at": "2026-11-21T10:00:00Z",
    },
]


def job(status: str, **more: Any) -> dict[str, Any]:
    return {
        **{"id": f"{status}-1", "status": status, "history": []},
        "config": {"model": "digits", "dataset": "mnist", "epochs": 10},
        "times": {"created_at": "2026-11-22T10:00:00Z"},
    } | more


@pytest.fixture
def with_models(service: Any) -> None:
    service.on("GET /api/v1/models", {"models": [{"name": "digits", "live": 1}]})
    service.on("GET /api/v1/models/digits/versions?limit=20", {"versions": VERSIONS})


@pytest.mark.usefixtures("with_models")
def test_models_lists_versions_with_their_aliases(inkwell: Call) -> None:
    heading, *rows = inkwell("models").stdout.splitlines()

    columns = ["model", "version", "aliases", "test accuracy", "data set", "created"]
    assert re.split(r"  +", heading.strip()) == columns
    assert rows[0].split()[:4] == ["digits", "2", "0.9812", "mnist"]
    assert rows[1].split()[:6] == ["digits", "1", "canary,", "live", "0.9500", "digits"]


def test_models_lists_a_damaged_version_with_what_is_wrong(service: Any, inkwell: Call) -> None:
    damaged = {"version": 3, "aliases": ["live"], "error": "manifest.json cannot be read"}
    service.on("GET /api/v1/models", {"models": [{"name": "digits", "live": 3}]})
    service.on("GET /api/v1/models/digits/versions?limit=20", {"versions": [damaged, *VERSIONS]})

    rows = inkwell("models").stdout.splitlines()[1:]

    assert re.search(r"3 +live +manifest.json cannot be read", rows[0])
    assert len(rows) == 3


@pytest.mark.usefixtures("with_models")
def test_models_as_json_holds_the_versions_of_each(inkwell: Call) -> None:
    (model,) = json.loads(inkwell("models", "--json").stdout)

    assert (model["name"], model["versions"]) == ("digits", VERSIONS)


def test_data_sets_are_listed_and_a_damaged_one_with_what_is_wrong(
    service: Any, inkwell: Call
) -> None:
    digits = {"name": "digits", "uploaded": False, "labels": ["0", "1"]}
    digits |= {"train_rows": 1437, "test_rows": 360}
    mine = {"name": "mine", "uploaded": True, "error": "manifest.json is not what was kept."}
    service.on("GET /api/v1/datasets", {"datasets": [digits, mine]})

    rows = inkwell("data", "list").stdout.splitlines()[1:]

    assert re.split("  +", rows[0]) == ["digits", "0 1", "1,437", "360", "comes with Inkwell"]
    assert rows[1].strip().split(maxsplit=1) == ["mine", "manifest.json is not what was kept."]


def test_history_lists_the_moves_with_who_and_why(service: Any, inkwell: Call) -> None:
    first = {"at": "2026-11-21T10:00:00Z", "alias": "live", "from": None, "to": 1}
    back = {"at": "2026-11-22T10:00:00Z", "alias": "live", "from": 2, "to": 1}
    moves = [first | {"reason": "first", "actor": "job 7"}, back | {"reason": "", "actor": "anna"}]
    service.on("GET /api/v1/models/digits/history", {"history": moves})

    heading, *rows = inkwell("history", "digits").stdout.splitlines()

    assert re.split(r"  +", heading.strip()) == ["at", "alias", "from", "to", "by", "reason"]
    assert rows[0].split()[2:] == ["live", "1", "job", "7", "first"]
    assert rows[1].split()[2:] == ["live", "2", "1", "anna"]
    assert json.loads(inkwell("history", "digits", "--json").stdout) == {"history": moves}


def test_history_tells_the_shares_of_a_split_and_who_looked_on(service: Any, inkwell: Call) -> None:
    move = {"at": "2026-11-21T10:00:00Z", "alias": "live", "from": 1, "to": 1, "actor": "a"}
    split = {"split": {"1": 0.95, "2": 0.05}, "shadow": 3, "reason": ""}
    over = {"to": None, "from_split": {"1": 0.95, "2": 0.05}, "from_shadow": 3, "reason": ""}
    service.on("GET /api/v1/models/digits/history", {"history": [move | split, move | over]})

    _, begun, ended = inkwell("history", "digits").stdout.splitlines()

    shared = "1 (95 %), 2 (5 %), shadow 3"
    assert re.split(r"  +", begun.strip())[1:] == ["live", "1", shared, "a"]
    assert re.split(r"  +", ended.strip())[1:] == ["live", shared, "a"]


def test_jobs_show_how_far_they_are_and_how_they_ended(service: Any, inkwell: Call) -> None:
    error = "Traceback [bold]\n" + "The loss is no longer finite: " + "x" * 200
    page = [
        job("queued"),
        job("started", progress={"epoch": 3, "epochs": 10}),
        job("finished", progress={"epoch": 10, "epochs": 10}, result={"test_accuracy": 0.98}),
        job("failed", error=error),
    ]
    service.on("GET /api/v1/jobs?limit=20", {"jobs": page, "next_cursor": None})

    lines = inkwell("jobs").stdout.splitlines()

    assert [line.split()[4] for line in lines[1:]] == ["0/10", "3/10", "10/10", "0/10"]
    assert lines[3].split()[5] == "0.9800"
    # Not folded, not cut, and brackets are no markup.
    assert " ".join(error.split()) in lines[4]


def test_jobs_pass_what_narrows_them_on(service: Any, inkwell: Call) -> None:
    service.on("GET /api/v1/jobs?limit=5&status=failed", {"jobs": [], "next_cursor": None})

    answered = inkwell("jobs", "--status", "failed", "--limit", 5)

    assert answered.output == "No jobs yet: start one with `inkwell train`.\n"


def test_a_list_outside_a_terminal_has_no_colours(
    service: Any, inkwell: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    service.on("GET /api/v1/jobs?limit=20", {"jobs": [job("queued")], "next_cursor": None})

    assert "\x1b" not in inkwell("jobs").stdout
