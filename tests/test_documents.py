"""The tests of the documents notice where an answer is not the one that is shown."""

import pytest

from tests.documents import agrees

SHOWN = """{"id": "9c2cd661-544d-402b-bb16-d1a0e4b65855", "at": "2026-11-28T01:23:51.351002Z",
"label": "7", "probability": 0.42, "probabilities": [0.004, …], "rows": 3}"""
ANSWER = (
    '{"id":"7b2e1f20-298f-4c2b-bc72-5e61f52fdc4c","at":"2027-01-02T03:04:05.000006Z",'
    '"label":"7","probability":0.5,"probabilities":[0.1,0.5,1e-05],"rows":3}\n'
)


def test_what_is_another_each_time_may_differ():
    assert agrees(SHOWN, ANSWER)
    assert agrees(SHOWN, ANSWER.replace("[0.1,0.5,1e-05]", "[0.1]"))


@pytest.mark.parametrize(
    ("shown", "given"),
    [('"7"', '"1"'), ('"rows":3', '"rows":4'), ('"label"', '"labels"'), ("3}", "3,"), ("{", "")],
)
def test_what_is_the_same_each_time_may_not(shown, given):
    assert not agrees(SHOWN, ANSWER.replace(shown, given, 1))
