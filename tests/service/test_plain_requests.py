"""Plain requests mean what gunicorn makes of them; what is not plain is left to it."""

import pytest
from gunicorn.config import Config
from gunicorn.http import get_parser
from gunicorn.http.wsgi import create
from hypothesis import given
from hypothesis import strategies as st

from service.plain_requests import MAX_HEAD, answer, plain_environ

CLIENT, SERVER = ("127.0.0.1", 50_000), ("127.0.0.1", 8000)
LINE = b"POST /api/v1/predict HTTP/1.1\r\n"
FIELDS = b"Host: here:8000\r\nContent-Type: application/json\r\nContent-Length: 2\r\n"
HEAD = LINE + FIELDS + b"\r\n"
OF_THE_SERVER = ("wsgi.", "gunicorn.", "RAW_URI")


def by_gunicorn(head):
    """Return the environment that gunicorn makes of a head."""
    cfg = Config()
    request = next(get_parser(cfg, iter([head + b"[]"]), CLIENT))
    return create(request, None, CLIENT, SERVER, cfg)[1]


def of_the_request(environ):
    return {key: value for key, value in environ.items() if not key.startswith(OF_THE_SERVER)}


def answered(environ):
    answer(lambda environ, start: [], environ, b"", CLIENT, SERVER)
    return environ


def test_the_environment_has_all_that_gunicorn_s_has_of_the_request():
    head = (
        LINE.replace(b"predict", b"predict?top_k=2&a=%20")
        + FIELDS
        + (
            b"User-Agent: curl/8 (x; y)\r\nX-Request-ID: \t a b \r\nAccept:\r\n"
            b"Connection: Keep-Alive\r\n"
            b"X-Forwarded-For: 10.0.0.1, 10.0.0.2\r\n\r\n"
        )
    )
    ours, theirs = answered(plain_environ(head)), by_gunicorn(head)

    assert of_the_request(ours) == of_the_request(theirs)
    assert ours["wsgi.url_scheme"] == theirs["wsgi.url_scheme"]


@pytest.mark.parametrize(
    "head",
    [
        HEAD.replace(b"POST", b"GET"),
        HEAD.replace(b"1.1", b"1.0"),
        HEAD.replace(b"POST /", b"POST http://here/"),
        HEAD.replace(b"predict", b"pre%64ict"),
        HEAD.replace(b"predict", b"predict#there"),
        HEAD.replace(b"predict", "prédict".encode()),
        HEAD.replace(b"POST ", b"POST  "),
        HEAD.replace(b"\r\n", b"\n"),
        HEAD.replace(b"Host: here:8000\r\n", b""),
        HEAD.replace(b"Length: 2", b"Length: +2"),
        HEAD.replace(b"Length: 2", b"Length: 2, 2"),
        HEAD.replace(b"Host:", b"Host :"),
        HEAD.replace(b"Host", b"X_Host"),
        HEAD.replace(b"here", b"he\x00re"),
        *(
            LINE + FIELDS + more + b"\r\n\r\n"
            for more in (
                b"Content-Length: 2",
                b"content-type: text/plain",
                b"Connection: close",
                b"Connection: upgrade",
                b"Content-Encoding: gzip",
                b"Expect: 100-continue",
                b"Transfer-Encoding: chunked",
                b"X-Forwarded-Proto: https",
                b"X: 1\r\n folded",
                b"no colon",
                b": no name",
                b"X: " + b"x" * MAX_HEAD,
                *(b"\r\n".join(b"X%d: 1" % i for i in range(count)) for count in (62, 101)),
            )
        ),
    ],
)
def test_what_is_not_plain_is_left_to_gunicorn(head):
    assert plain_environ(HEAD)
    assert plain_environ(head) is None


@given(
    st.lists(
        st.sampled_from([LINE, FIELDS, *HEAD.splitlines(keepends=True), b"X: y\r\n", b"\r\n"])
        | st.binary(max_size=8)
    )
)
def test_whatever_is_plain_means_the_same_to_gunicorn(parts):
    head = LINE + b"".join(parts) + b"\r\n"
    environ = plain_environ(head)
    if environ:
        assert of_the_request(answered(environ)) == of_the_request(by_gunicorn(head))


def test_the_answer_is_sent_with_its_head_and_no_header_that_ends_it():
    def app(environ, start_response):
        start_response("200 OK", [("Content-Length", "4"), ("X-Read", value)])
        return [environ["wsgi.input"].read(), b"yz"]

    value = "ä"
    head, body = answer(app, plain_environ(HEAD), b"[]", CLIENT, SERVER).split(b"\r\n\r\n")
    status, *fields = head.decode("latin-1").split("\r\n")
    assert (status, body) == ("HTTP/1.1 200 OK", b"[]yz")
    names = [field.partition(":")[0] for field in fields]
    assert names == ["Server", "Date", "Connection", "Content-Length", "X-Read"]
    assert fields[-1] == "X-Read: ä"

    value = "a\r\nSet-Cookie: b"
    with pytest.raises(ValueError, match="several lines"):
        answer(app, plain_environ(HEAD), b"[]", CLIENT, SERVER)
