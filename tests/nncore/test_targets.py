import hashlib
from collections import Counter

import pytest

from nncore.errors import ConfigError, CorruptVersionError, VersionInUseError
from nncore.layers import Dense
from nncore.registry import Registry
from nncore.targets import Target, choose, read_split
from tests.conftest import publish

IDS = [f"request-{i}" for i in range(20_000)]


@pytest.fixture
def three(registry):
    """Versions 1, 2 and 3; 1 is live."""
    for seed in range(3):
        publish(registry, seed=seed, live=seed == 0)
    return registry


def test_each_version_gets_its_share_of_the_requests():
    counts = Counter(choose((0.7, 0.25, 0.05), request_id) for request_id in IDS)

    assert [counts[i] / len(IDS) for i in range(3)] == pytest.approx([0.7, 0.25, 0.05], abs=0.01)


def test_what_a_request_gets_is_told_by_its_id_alone():
    digest = hashlib.sha256(b"request-1").hexdigest()
    point = int(digest[:16], 16) / 2**64

    assert choose((point - 0.01, 1 - point + 0.01), "request-1") == 1
    assert choose((point + 0.01, 1 - point - 0.01), "request-1") == 0
    assert choose((0.3, 0.3, 0.3), "") in (0, 1, 2)  # shares that fall short of 1 leave no gap


def test_a_canary_that_grows_keeps_the_requests_that_it_had():
    before = [choose((0.95, 0.05), request_id) for request_id in IDS]
    after = [choose((0.8, 0.2), request_id) for request_id in IDS]

    assert all(later for earlier, later in zip(before, after, strict=True) if earlier)


@pytest.mark.parametrize(
    ("split", "pointer", "words"),
    [
        ({"7": 1.0}, "/split", "2 to 10 versions"),
        ([0.5, 0.5], "/split", "2 to 10 versions"),
        ({str(n): 1 / 11 for n in range(1, 12)}, "/split", "2 to 10 versions"),
        ({"7": 0.9, "8": 0.2}, "/split", "sum to 1; they sum to 1.1"),
        ({"7": 1, "8": 0}, "/split/8", "above 0"),
        ({"7": 1.5, "8": -0.5}, "/split/7", "at most 1"),
        ({"7": True, "8": 0.5}, "/split/7", "above 0"),
        ({"7": "half", "8": 0.5}, "/split/7", "above 0"),
        ({"live": 0.5, "8": 0.5}, "/split", "number of a version"),
        ({"08": 0.5, "8": 0.5}, "/split", "number of a version"),
    ],
)
def test_a_split_that_is_none_is_told(split, pointer, words):
    with pytest.raises(ConfigError) as caught:
        read_split(split)

    assert caught.value.errors[0].pointer == pointer
    assert words in caught.value.errors[0].detail


def test_the_largest_share_stands_for_all(three):
    moved = three.promote("digits", Target.of_split({2: 0.9, 1: 0.1}, shadow=3))

    assert (moved.to, moved.target.versions) == (2, [1, 2, 3])
    assert three.resolve("digits", "live") == 2
    assert three.aliases("digits").last("live") == moved


def test_a_split_and_a_shadow_stand_in_the_history(three):
    three.promote("digits", Target.of_split({1: 0.9, 2: 0.1}, shadow=3), reason="careful")
    three.promote("digits", 2)

    first, second = three.aliases("digits").history()[-2:]
    assert first["split"] == second["from_split"] == {"1": 0.9, "2": 0.1}
    assert first["shadow"] == second["from_shadow"] == 3
    assert "split" not in second


def test_rollback_ends_a_canary_and_a_second_one_brings_it_back(three):
    canary = three.promote("digits", Target.of_split({1: 0.9, 2: 0.1}, shadow=3)).target

    ended = three.rollback("digits")
    again = three.rollback("digits")

    assert ended.target == Target(1)
    assert again.target == canary


def test_moving_to_the_same_split_changes_nothing(three):
    first = three.promote("digits", Target.of_split({1: 0.9, 2: 0.1}))

    assert three.promote("digits", Target.of_split({2: 0.1, 1: 0.9})) == first
    assert three.promote("digits", Target.of_split({2: 0.2, 1: 0.8})) != first


@pytest.mark.parametrize("version", [1, 2, 3])
def test_what_takes_a_share_or_looks_on_is_not_deleted(three, version):
    three.promote("digits", Target.of_split({1: 0.9, 2: 0.1}, shadow=3))

    with pytest.raises(VersionInUseError, match="live"):
        three.delete("digits", version)
    assert three.prune("digits", last=1) == []


def test_versions_that_take_other_rows_do_not_share_an_alias(three, monkeypatch):
    wide = tuple("0123456789A")
    monkeypatch.setattr("tests.conftest.LAYERS", (Dense(11),))
    monkeypatch.setattr("tests.conftest.tuple", lambda _: wide, raising=False)
    other = publish(three, live=False)

    for target, pointer in [
        (Target.of_split({1: 0.9, other: 0.1}), f"/split/{other}"),
        (Target(1, shadow=other), "/shadow"),
    ]:
        with pytest.raises(ConfigError) as caught:
            three.promote("digits", target)
        assert caught.value.errors[0].pointer == pointer
    assert three.resolve("digits", "live") == 1


def test_a_damaged_split_is_told(registry, tmp_path):
    publish(registry)
    path = tmp_path / "store/models/digits/aliases/live"
    path.write_text('{"to": 1, "split": {"1": 2}}')

    with pytest.raises(CorruptVersionError, match="'live' is damaged: /split"):
        Registry(tmp_path / "store").resolve("digits", "live")
