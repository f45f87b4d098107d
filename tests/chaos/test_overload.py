"""More is asked than can be answered: what can be is answered, the rest is told at once."""

import json

import pytest

from tests.chaos.measures import SECONDS
from tests.open_loop import Clients, post

pytestmark = pytest.mark.integration

OCTETS = "application/octet-stream"


@pytest.mark.parametrize("rows", [1, 64])
def test_twice_the_load_that_it_can_take_is_answered_or_refused(stack, tell, rows):
    request = post("/api/v1/predict", bytes(784 * rows), OCTETS)
    closed, opened = Clients(stack.port, request), Clients(stack.port, request)
    try:
        peak = closed.keep_asking(16, SECONDS)
        goodput = opened.ask_at(2 * peak, SECONDS)
    finally:
        closed.close()
        opened.close()

    refused = [one for one in opened.answers if one.status == 429]
    tell(
        f"twice the load, rows of {rows}",
        f"{goodput:.0f} of at most {peak:.0f} a second answered, {len(refused):,} refused",
    )
    assert {one.status for one in closed.answers} == {200}
    assert {one.status for one in opened.answers} <= {200, 429}
    for one in refused:
        head, _, body = one.content.partition(b"\r\n\r\n")
        assert b"\r\nRetry-After: 1" in head
        assert json.loads(body)["error"]
    # It is as fast afterwards as it was before.
    assert stack.client.post(
        "/api/v1/predict", content=bytes(784), headers={"Content-Type": OCTETS}
    ).is_success
