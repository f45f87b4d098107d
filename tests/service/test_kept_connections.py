"""Kept connections are as gunicorn's deque of them, as far as it asks."""

from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.kept_connections import KeptConnections


@given(st.lists(st.sampled_from(["append", "remove", "popleft"]), max_size=30), st.data())
def test_they_are_given_up_in_turn_and_taken_up_in_any_order(steps, data):
    kept, like = KeptConnections(), deque()
    for number, step in enumerate(steps):
        if step == "append":
            kept.append(number)
            like.append(number)
        elif not like:
            with pytest.raises((IndexError, KeyError)):
                kept.popleft() if step == "popleft" else kept.remove(number)
        elif step == "remove":
            one = data.draw(st.sampled_from(list(like)))
            kept.remove(one)
            like.remove(one)
        else:
            assert kept.popleft() == like.popleft()
        assert list(kept) == list(like)
        assert len(kept) == len(like)
        assert bool(kept) == bool(like)
    assert not like or kept[0] == like[0]
