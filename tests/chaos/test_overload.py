"""More is asked than can be answered: what can be is answered, the rest is told at once."""

import json

import pytest

from tests.chaos.measures import SECONDS
from tests.open_loop import Clients, post

pytestmark = pytest.mark.integration

OCTETS = "application/octet-stream"


@pytest.mark.parametrize("rows", [1, 64])
def test_more_than_it_can_take_is_answered_or_refused(stack, tell, rows):
    clients = Clients(stack.port, post("/api/v1/predict", bytes(784 * rows), OCTETS))
    refused = []
    try:
        rate = clients.keep_asking(16, SECONDS)
        assert {one.status for one in clients.answers} == {200}
        while not refused:
            clients.answers.clear()
            rate *= 2
            goodput = clients.ask_at(rate, SECONDS)
            refused = [one for one in clients.answers if one.status == 429]
    finally:
        clients.close()

    tell(
        f"{rate:.0f} requests a second, rows of {rows}",
        f"{goodput:.0f} a second answered, {len(refused) / SECONDS:.0f} refused",
    )
    assert {one.status for one in clients.answers} == {200, 429}
    for one in refused:
        head, _, body = one.content.partition(b"\r\n\r\n")
        assert b"\r\nRetry-After: 1" in head
        assert json.loads(body)["error"]
    # It is as fast afterwards as it was before.
    assert stack.client.post(
        "/api/v1/predict", content=bytes(784), headers={"Content-Type": OCTETS}
    ).is_success
