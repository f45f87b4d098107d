import numpy as np

from service.shared_counts import SharedCounts
from service.statistics import CONFIDENCES, NO_ANSWERS, Answers, Counts, Statistics

LABELS = ("no", "yes")


def answers(winners, confidences):
    return Answers.of(np.array(winners), np.array(confidences, np.float32))


def test_what_a_version_answered_is_added_up_by_its_labels_and_by_how_sure_it_was():
    statistics = Statistics(SharedCounts(processes=1))

    statistics.add("digits", 1, LABELS, Counts(rows=2, predict_ns=7), answers([1, 1], [0.25, 1]))
    statistics.add("digits", 1, LABELS, Counts(rows=1, predict_ns=7), answers([0], [0.75]))

    (line,) = statistics.lines()
    assert (line.model, line.version, line.labels) == ("digits", 1, LABELS)
    assert line.counts == Counts(rows=3, predict_ns=14)
    assert line.answers.labels == [1, 2]
    sureness = dict(zip(CONFIDENCES, line.answers.sureness, strict=True))
    assert {edge: count for edge, count in sureness.items() if count} == {0.3: 1, 0.8: 1, 1.0: 1}
    assert line.answers.millionths == 2_000_000


def test_versions_stand_in_the_order_of_their_numbers():
    statistics = Statistics(SharedCounts(processes=1))

    for version in (10, 9, 100):
        statistics.add("digits", version, LABELS, Counts(failures=1), NO_ANSWERS)

    assert [line.version for line in statistics.lines()] == [9, 10, 100]
    assert not any(any(line.answers.labels) for line in statistics.lines())
