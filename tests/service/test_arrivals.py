"""What is seen of a request before it is parsed, and how its body is read."""

import io
import socket

import pytest

from service.arrivals import GATHERED, QUICK, Arrival, RequestBody

JSON = b"Content-Type: application/json\r\n"
LINE = b"POST /api/v1/predict HTTP/1.1\r\n"


def arrived(body=b"[]", head=JSON, line=LINE, told=True):
    arrival = Arrival()
    length = b"Content-Length: %d\r\n" % len(body) if told else b""
    arrival.add(line + b"Host: x\r\n" + head + length + b"\r\n" + body)
    return arrival


@pytest.mark.parametrize(
    ("line", "asked"),
    [
        (LINE, "/api/v1/predict"),
        (b"POST /api/v1/predict?top_k=2&outputs=a/b?c HTTP/1.1\r\n", "/api/v1/predict"),
        (b"POST /v1/models/digits:predict HTTP/1.1\r\n", "/v1/models/digits:predict"),
    ],
)
def test_a_few_rows_of_numbers_are_quick(line, asked):
    assert arrived(line=line).quick()["PATH_INFO"] == asked
    for octets in (bytes(784), b'\\"b64"'):
        assert arrived(octets, b"content-type: application/octet-stream\r\n", line).quick()


@pytest.mark.parametrize(
    "request_",
    [
        {"body": bytes(QUICK + 1)},
        {"head": b"Content-Type: image/png\r\n"},
        {"head": b""},
        {"head": JSON + b"Content-Encoding: gzip\r\n"},
        {"head": JSON + b"Expect: 100-continue\r\n"},
        {"body": b'{"instances": [{"b64": "iVBO"}]}'},
        {"body": b'{"instances": [{"b\\u00364": "iVBO"}]}'},
        {"line": b"POST /api/v1/predict HTTP/1.0\r\n"},
        {"line": b"POST http://x/api/v1/predict#there HTTP/1.1 \r\n"},
        {"line": b"\r\n" + LINE},
        {"body": b"[]", "line": LINE.replace(b"POST", b"PUT")},
        {"told": False},
        {"head": JSON + b"Transfer-Encoding: chunked\r\n"},
    ],
)
def test_what_may_take_longer_than_its_size_tells_is_not_quick(request_):
    assert arrived(**request_).quick() is None


def test_more_is_waited_for_of_a_request_that_may_be_quick_where_there_is_room():
    line = LINE + b"Host: x\r\n"
    quick = line + JSON + b"Content-Length: %d\r\n\r\n" % QUICK
    for head, more, waits in (
        (quick, True, True),
        (quick, False, False),
        (quick.replace(b"json", b"jpeg"), True, False),
        (line + JSON + b"Content-Length: %d\r\n\r\n" % (QUICK + 1), True, False),
    ):
        assert Arrival().add(head + bytes(GATHERED), more=more) is not waits

    arrival = Arrival()
    arrival.add(quick + bytes(GATHERED), more=True)
    assert arrival.add(bytes(QUICK - GATHERED), more=True)
    assert arrival.quick()
    assert arrival.body() == bytes(QUICK)


def test_a_request_that_comes_with_the_next_is_not_quick():
    arrival = arrived()
    arrival.add(LINE)
    assert arrival.quick() is None


def test_half_a_request_is_not_quick():
    arrival = Arrival()
    assert not arrival.add(LINE + b"Host: x\r\n" + JSON + b"Content-Length: 4\r\n\r\n[]")
    assert arrival.quick() is None

    assert arrival.add(b"  ")
    assert arrival.quick()


def test_what_is_parsed_has_no_body_but_what_follows_it():
    arrival = arrived(b"[1]")
    arrival.add(b"GET /livez")

    unparsed, body = arrival.part()

    assert body == b"[1]"
    assert unparsed.startswith(LINE)
    assert unparsed.endswith(b"Content-Length: 3\r\n\r\nGET /livez")


@pytest.mark.parametrize(
    "head",
    [
        b"Transfer-Encoding: chunked\r\n",
        b"Content-Length: 5, 5\r\n",
        b"Content-Length: " + b"9" * 5000,
    ],
    ids=["in chunks", "two lengths", "a length without end"],
)
def test_where_the_length_is_not_plain_all_is_parsed(head):
    arrival = arrived(b"3\r\n[1]\r\n0\r\n\r\n", head, told=False)

    unparsed, body = arrival.part()

    assert body is None
    assert unparsed == bytes(arrival.content)


@pytest.mark.parametrize("begun", [0, 1, 5000, 20_000])
def test_a_body_is_what_has_come_and_the_rest_and_nothing_behind_it(begun):
    content = bytes(range(250)) * 80
    server, client = socket.socketpair()
    with server, client:
        client.sendall(content[begun:] + b"the next request")
        body = io.BufferedReader(RequestBody(content[:begun], len(content), server))

        assert body.read(3) == content[:3]
        assert body.read(len(content)) == content[3:]
        assert body.read(1024) == b""
        assert server.recv(100) == b"the next request"


def test_a_body_that_ends_early_is_as_long_as_what_came():
    server, client = socket.socketpair()
    with server:
        client.sendall(b"345")
        client.close()

        assert io.BufferedReader(RequestBody(b"12", 9, server)).read(9) == b"12345"
