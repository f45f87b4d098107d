import json
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest

from nncore.errors import (
    AliasMovedError,
    ConfigError,
    CorruptVersionError,
    NotFoundError,
    NothingBeforeError,
)
from nncore.registry import Registry
from tests.conftest import publish as publish_one


@pytest.fixture
def registry(store):
    """A registry with three versions of the model "m", none of them live."""
    registry = Registry(store)
    for seed in range(3):
        publish_one(registry, model="m", seed=seed, live=False)
    return registry


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "models/m/aliases"


def moves(registry):
    return [(move["from"], move["to"]) for move in registry.aliases("m").history()]


def later():
    """Return a moment between what was done and what will be."""
    time.sleep(0.002)
    moment = datetime.now(UTC)
    time.sleep(0.002)
    return moment.isoformat()


def test_promote_moves_the_alias_and_writes_history(registry):
    first = registry.promote("m", 1, reason="first", actor="job a")
    second = registry.promote("m", 2, reason="better", actor="job b")

    assert (first.before, first.to, second.before, second.to) == (None, 1, 1, 2)
    assert registry.resolve("m", "live") == 2
    history = registry.aliases("m").history()
    assert [(e["from"], e["to"], e["reason"], e["actor"]) for e in history] == [
        (None, 1, "first", "job a"),
        (1, 2, "better", "job b"),
    ]
    assert history[0]["at"] < history[1]["at"]
    assert history[1] == second.line()


def test_promoting_what_is_not_there_changes_nothing(registry):
    registry.promote("m", 1)

    with pytest.raises(NotFoundError, match=r"has no version 9\. It has: 1"):
        registry.promote("m", 9)
    for alias in ("../live", "previous"):
        with pytest.raises(ConfigError):
            registry.promote("m", 2, alias=alias)

    assert registry.aliases("m").all() == {"live": 1}
    assert moves(registry) == [(None, 1)]


def test_promoting_what_is_live_already_changes_nothing(registry):
    for version in (1, 2):
        registry.promote("m", version)
    stamp = registry.aliases("m").stamp("live")

    again = registry.promote("m", 2, reason="again")

    assert (again.before, again.to, again.reason) == (1, 2, "")
    assert registry.aliases("m").stamp("live") == stamp
    assert moves(registry) == [(None, 1), (1, 2)]


def test_previous_is_what_live_named_before(registry):
    registry.promote("m", 1)
    with pytest.raises(NotFoundError, match="no version or alias 'previous'"):
        registry.resolve("m", "previous")

    registry.promote("m", 3)

    aliases = registry.aliases("m")
    assert registry.resolve("m", "previous") == 1
    assert aliases.all() == {"live": 3, "previous": 1}
    assert aliases.stamp("previous") == aliases.stamp("live") is not None


def test_the_history_only_grows(registry, folder):
    registry.promote("m", 1)
    before = (folder / "history.jsonl").read_bytes()

    registry.promote("m", 2)
    registry.promote("m", 3, alias="champion")
    registry.rollback("m")

    assert (folder / "history.jsonl").read_bytes().startswith(before)
    assert moves(registry) == [(None, 1), (1, 2), (None, 3), (2, 1)]


def test_a_rollback_goes_back_and_can_be_rolled_back_itself(registry):
    for version in (1, 2, 3):
        registry.promote("m", version)

    back = registry.rollback("m", reason="3 misreads sevens", actor="anna")
    assert (back.before, back.to, registry.resolve("m", "live")) == (3, 2, 2)

    assert registry.rollback("m").to == 3
    assert moves(registry)[-2:] == [(3, 2), (2, 3)]
    assert registry.aliases("m").history()[-2]["actor"] == "anna"


def test_any_alias_can_be_rolled_back(registry):
    for version in (1, 2):
        registry.promote("m", version, alias="champion")

    assert registry.rollback("m", alias="champion").to == 1
    assert registry.aliases("m").all() == {"champion": 1}


def test_where_nothing_was_before_nothing_is_rolled_back(registry):
    with pytest.raises(NothingBeforeError, match="'live' of model 'm' named no other"):
        registry.rollback("m")
    registry.promote("m", 1)
    with pytest.raises(NothingBeforeError):
        registry.rollback("m")
    with pytest.raises(NotFoundError, match="no model 'other'"):
        registry.rollback("other")

    assert moves(registry) == [(None, 1)]


def test_of_two_rollbacks_at_once_one_is_refused_and_does_not_undo_the_other(registry, monkeypatch):
    for version in (1, 2, 3):
        registry.promote("m", version)
    load = registry.load

    def another_rolls_back_meanwhile(model, version):
        monkeypatch.setattr(registry, "load", load)
        registry.rollback("m")
        return load(model, version)

    monkeypatch.setattr(registry, "load", another_rolls_back_meanwhile)
    with pytest.raises(AliasMovedError, match="'live' names 2 now"):
        registry.rollback("m")

    assert registry.resolve("m", "live") == 2


def test_a_move_that_is_not_accepted_changes_nothing_and_each_has_a_tag_of_its_own(registry):
    first = registry.promote("m", 1, accept=lambda tag: tag is None)
    second = registry.promote("m", 2, accept=lambda tag: tag == first.tag)
    third = registry.promote("m", 1)

    with pytest.raises(AliasMovedError):
        registry.promote("m", 3, accept=lambda tag: tag == first.tag)

    assert len({None, first.tag, second.tag, third.tag}) == 4
    assert registry.aliases("m").last("live").tag == third.tag
    assert moves(registry) == [(None, 1), (1, 2), (2, 1)]


def test_of_many_that_move_an_alias_at_once_each_sees_the_one_before(registry):
    def promote(version):
        for _ in range(5):
            registry.promote("m", version)

    threads = [threading.Thread(target=promote, args=(v,)) for v in (1, 2, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    found = moves(registry)
    assert [before for before, _ in found[1:]] == [to for _, to in found[:-1]]
    assert registry.aliases("m").get("live") == found[-1][1]


def test_an_alias_is_found_as_it_stood_at_a_time(registry):
    before = later()
    registry.promote("m", 1)
    first = later()
    registry.promote("m", 2)
    registry.promote("m", 3, alias="champion")
    second = later()
    registry.promote("m", 3)

    assert registry.resolve("m", f"live@{first}") == 1
    assert registry.resolve("m", f"live@{second}") == 2
    assert registry.resolve("m", f"previous@{second}") == 1
    assert registry.resolve("m", f"champion@{second}") == 3
    for reference in (f"live@{before}", f"champion@{first}", f"previous@{first}"):
        with pytest.raises(NotFoundError, match="named nothing at"):
            registry.resolve("m", reference)


def test_a_time_may_be_written_in_any_zone(registry):
    registry.promote("m", 1)
    moment = datetime.fromisoformat(later())
    registry.promote("m", 2)
    elsewhere = moment + timedelta(hours=5, minutes=30)

    assert registry.resolve("m", f"live@{elsewhere.replace(tzinfo=None).isoformat()}+05:30") == 1
    assert registry.resolve("m", f"live@{moment.isoformat().replace('+00:00', 'Z')}") == 1


@pytest.mark.parametrize(
    ("time", "words"),
    [
        ("2999-01-01T00:00:00Z", "nobody knows"),
        ("2026-11-20T12:00:00", "no time with its zone"),
        ("yesterday", "no time with its zone"),
        ("", "no time with its zone"),
        ("2026-13-45T12:00:00Z", "no time with its zone"),
        ("2001-01-01T00:00:00Z", "named nothing"),
    ],
)
def test_a_time_that_tells_nothing_is_told(registry, time, words):
    registry.promote("m", 1)

    with pytest.raises(NotFoundError, match=words):
        registry.resolve("m", f"live@{time}")


def test_the_stamp_of_an_alias_changes_with_every_move_however_quick(registry, folder):
    aliases = registry.aliases("m")

    stamps = []
    for i in range(50):
        registry.promote("m", 1 + i % 2)
        stamps.append(aliases.stamp("live"))

    assert len(set(stamps)) == 50
    assert aliases.stamp("other") is None


def test_readers_of_an_alias_never_see_it_missing_or_half_written(registry, folder):
    registry.promote("m", 1)
    seen, stop = set(), threading.Event()

    def read():
        while not stop.is_set():
            seen.add(registry.aliases("m").get("live"))

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for i in range(100):
        registry.promote("m", 1 + i % 2)
    stop.set()
    for reader in readers:
        reader.join()

    assert seen == {1, 2}


@pytest.mark.parametrize(
    "content",
    [b"one", b"", b"\xff", "²".encode(), b"0", b"-1", b"9" * 5000, b"[" * 10**5, b'{"to": true}'],
)
def test_an_alias_that_names_no_version_is_told_and_can_be_set_anew(registry, folder, content):
    registry.promote("m", 1)
    (folder / "live").write_bytes(content)

    with pytest.raises(CorruptVersionError, match="'live' holds"):
        registry.resolve("m", "live")
    assert registry.aliases("m").all() == {}
    assert registry.promote("m", 1).before is None

    assert registry.resolve("m", "live") == 1


def test_an_alias_may_be_written_by_hand(registry, folder):
    registry.promote("m", 1)
    (folder / "live").write_text("2\n")

    assert registry.resolve("m", "live") == 2
    assert registry.promote("m", 3).before == 2
    assert moves(registry) == [(None, 1), (2, 3)]


def test_files_that_are_no_alias_are_left_out(registry, folder):
    registry.promote("m", 1)
    (folder / "README").write_text("hello")
    (folder / "folder").mkdir()

    assert registry.aliases("m").all() == {"live": 1}


def test_half_a_line_of_history_spoils_no_other(registry, folder):
    registry.promote("m", 1, reason="first")
    with (folder / "history.jsonl").open("ab") as file:
        file.write(b'{"at": "20')
    registry.promote("m", 2, reason="second")

    assert [e["reason"] for e in registry.aliases("m").history()] == ["first", "second"]


def test_a_history_with_strange_lines_is_read_all_the_same(registry, folder):
    registry.promote("m", 1)
    with (folder / "history.jsonl").open("a") as file:
        file.write('[]\n{"alias": "live"}\n{"alias": "live", "at": "x"}\n{"at": 5}\nnull\n')

    assert registry.resolve("m", f"live@{later()}") == 1


def test_a_move_whose_line_was_never_written_is_told_and_written_by_the_next(registry, folder):
    registry.promote("m", 1)
    registry.promote("m", 2, reason="its process died")
    path = folder / "history.jsonl"
    path.write_bytes(path.read_bytes().splitlines(keepends=True)[0])
    moment = later()

    assert moves(registry) == [(None, 1), (1, 2)]
    assert registry.resolve("m", f"live@{moment}") == 2

    registry.promote("m", 3)
    lines = [json.loads(line) for line in path.read_bytes().splitlines()]
    assert [(line["from"], line["to"]) for line in lines] == [(None, 1), (1, 2), (2, 3)]
    assert lines[1]["reason"] == "its process died"


def test_where_the_history_cannot_be_read_the_alias_stays_where_it_was(registry, folder):
    registry.promote("m", 1)
    (folder / "history.jsonl").rename(folder.parent / "kept")
    (folder / "history.jsonl").mkdir()

    with pytest.raises(OSError, match="history"):
        registry.promote("m", 2)

    assert registry.resolve("m", "live") == 1


def test_an_alias_that_is_removed_names_nothing_and_stands_in_the_history(registry):
    registry.promote("m", 1)
    registry.promote("m", 2, alias="champion")
    registry.remove_alias("m", "champion", reason="over")

    aliases = registry.aliases("m")
    assert (aliases.get("champion"), aliases.last("champion").tag) == (None, None)
    assert aliases.all() == {"live": 1}
    assert aliases.naming(2) == []
    assert moves(registry) == [(None, 1), (None, 2), (2, None)]
    with pytest.raises(NotFoundError):
        registry.resolve("m", "champion")
    registry.delete("m", 2)
    registry.promote("m", 3, alias="champion")
    assert aliases.get("champion") == 3
