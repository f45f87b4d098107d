"""What is wrong with a request: functions that make a whole one so, by chance."""

import copy
import gzip
import json
import zlib

DEEP = "\ue000deep"  # stands for what is nested so deeply that json could not write it
ODD = [
    None, True, False, "", "x", "\0", "\ud800", "../../etc/passwd", "é" * 300, "x" * 70_000,
    -1, 0, 2, 1.5, 1e308, 5e-324, 2**31, 2**63, 2**64, -(10**30), 10**400, float("nan"),
    float("inf"), [], {}, [[]], [0] * 2000, [None], {"": None}, {"type": "dense"}, DEEP,
]  # fmt: skip
TEXTS = [
    "", " ", "x", "-1", "0", "1.5", "9" * 40, "9" * 3000, "\xff\xfe", "é", "%00", "\x0b", '"', "*",
    "null", "../..", "a,b;q=2", "Bearer", "bytes=0-1,5-", "x" * 3000, "\t", "=?utf-8?q?x?=", "W/",
]  # fmt: skip
HEADERS = [
    "Content-Type", "Content-Encoding", "Content-Length", "Transfer-Encoding", "Host", "Expect",
    "Accept", "Accept-Encoding", "Authorization", "Connection", "Cookie", "If-Match", "Range",
    "If-None-Match", "Idempotency-Key", "Last-Event-ID", "X-Request-ID", "traceparent", "Upgrade",
    "Inference-Header-Content-Length", "X-Forwarded-Proto", "Forwarded", "Date", "Trailer",
]  # fmt: skip
KINDS = [
    "application/json", "text/csv", "application/octet-stream", "application/x-npy",
    "application/x-idx", "image/png", "image/jpeg", "multipart/form-data", "application/zip",
    "multipart/form-data; boundary=", "multipart/form-data; boundary=x; charset=utf-16",
    "application/json; charset=latin-1", "text/html", "application/x-www-form-urlencoded",
]  # fmt: skip
METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "G\0T"]
QUERIES = ["limit", "cursor", "status", "model", "outputs", "top_k", "format", "label", "dry_run"]


# --- Bodies ---


def cut_off(choice, body):
    return body[: choice.randrange(len(body) + 1)]


def flipped(choice, body):
    """Change some bytes, more of them at the beginning, where headers are."""
    content = bytearray(body)
    for _ in range(choice.randint(1, 20) if content else 0):
        reach = choice.choice([64, len(content)])
        content[choice.randrange(min(reach, len(content)))] = choice.choice(
            [0, 0xFF, choice.randrange(256)]
        )
    return bytes(content)


def rearranged(choice, body):
    """Leave out, repeat, or put elsewhere a part."""
    start, end = sorted(choice.choices(range(len(body) + 1), k=2))
    part = body[start:end]
    without = body[:start] + body[end:]
    place = choice.randrange(len(without) + 1)
    return choice.choice(
        [without, body[:end] + part * choice.randint(1, 5) + body[end:],
         without[:place] + part + without[place:]]
    )  # fmt: skip


def random_bytes(choice, body):
    return choice.randbytes(choice.choice([0, 1, 4, 783, 784, 5000]))


def recoded(choice, body):
    """Say the same in another encoding, or packed, where none is told."""
    text = body.decode("utf-8", "replace")
    return choice.choice(
        [text.encode("utf-16"), text.encode("utf-32-be", "replace"), b"\xef\xbb\xbf" + body,
         text.encode("utf-7"), gzip.compress(body), gzip.compress(body)[:-4], zlib.compress(body),
         gzip.compress(gzip.compress(body)), body + b"\0"]
    )  # fmt: skip


def changed_json(choice, body):
    """Put something odd in the place of a value, leave out a key, or add one."""
    try:
        document = json.loads(body)
    except ValueError:
        return flipped(choice, body)
    holder = {"": document}
    for _ in range(choice.randint(1, 3)):
        change(choice, holder)
    nested = choice.choice([b'{"a":', b"["]) * choice.choice([50, 1100, 100_000])
    written = json.dumps(holder.get("")).encode()
    return written.replace(json.dumps(DEEP).encode(), nested)


def change(choice, document):
    here = document
    while True:
        keys = list(here) if isinstance(here, dict) else range(len(here))
        key = choice.choice(keys) if keys else None
        if key is None or not isinstance(here[key], dict | list) or choice.random() < 0.3:
            break
        here = here[key]
    if isinstance(here, dict):
        key = choice.choice([key, key, key, "extra"])
        if key in here and choice.random() < 0.2:
            del here[key]
            return
        here[key or ""] = odd_value(choice)
    elif key is None or choice.random() < 0.2:
        here.append(odd_value(choice))
    else:
        here[key] = odd_value(choice)


def odd_value(choice):
    return copy.deepcopy(choice.choice(ODD))  # lists are changed in their turn


BODIES = [cut_off, flipped, rearranged, random_bytes, recoded, changed_json, changed_json]


def wrong_body(choice, request):
    """Return the request with a wrong body."""
    return request._replace(body=choice.choice(BODIES)(choice, request.body))


# --- Heads ---


def odd_header(choice, request):
    name = choice.choice(HEADERS)
    return request._replace(headers=(*request.headers, (name, choice.choice(TEXTS))))


def other_kind(choice, request):
    rest = tuple(pair for pair in request.headers if pair[0] != "Content-Type")
    return request._replace(headers=(*rest, ("Content-Type", choice.choice(KINDS))))


def packed_kind(choice, request):
    encoding = ("Content-Encoding", choice.choice(["gzip", "deflate", "br", "gzip, gzip"]))
    body = choice.choice([request.body, gzip.compress(request.body), zlib.compress(request.body)])
    return request._replace(headers=(*request.headers, encoding), body=body)


def headers_lost_or_twice(choice, request):
    number = choice.choice([0, 1, 2, 200])
    kept = choice.sample(request.headers, choice.randrange(len(request.headers) + 1))
    return request._replace(headers=(*kept, *request.headers[-1:] * number))


def too_large_header(choice, request):
    return request._replace(headers=(*request.headers, ("X", "x" * choice.choice([8000, 200_000]))))


def other_path(choice, request):
    path = choice.choice(
        [flipped(choice, request.path.encode()).decode("latin-1"), request.path + "/" * 3,
         request.path + choice.choice(["%00", "%ff", "%2e%2e/%2e%2e", "é", "\0", "/" + "x" * 5000]),
         "//" + request.path, "http://other" + request.path, "*", "",
         request.path.replace("/", "%2f"),
         request.path.replace("digits", choice.choice(["..", "%2e%2e", "x" * 300, "di gits"]))]
    )  # fmt: skip
    return request._replace(path=path)


def odd_query(choice, request):
    pairs = [
        f"{choice.choice(QUERIES)}={choice.choice(TEXTS)}"
        for _ in range(choice.choice([1, 2, 300]))
    ]
    return request._replace(path=f"{request.path}?{'&'.join(pairs)[:3900]}")


def other_method(choice, request):
    return request._replace(method=choice.choice(METHODS))


HEADS = [odd_header, odd_header, other_kind, packed_kind, headers_lost_or_twice, too_large_header,
         other_path, odd_query, other_method]  # fmt: skip


def wrong_head(choice, request):
    """Return the request with a wrong head."""
    return choice.choice(HEADS)(choice, request)


# --- What goes over the wire ---


def written(request, length=None):
    """Return the bytes of a request, whose body is `length` bytes long, or says it is."""
    lines = [f"{request.method} {request.path} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in request.headers]
    if request.body or length is not None:
        lines.append(f"Content-Length: {len(request.body) if length is None else length}")
    return "\r\n".join([*lines, "", ""]).encode("utf-8", "replace") + request.body


def wrong_length(choice, request):
    size = len(request.body)
    lies = [
        size + 1,
        size - 1,
        size + 10**6,
        2**40,
        10**30,
        "",
        "x",
        "-5",
        "+5",
        "0x10",
        "5, 5",
        "٣",
    ]
    return written(request, choice.choice(lies))


def wrong_chunks(choice, request):
    """Send the body in chunks, of which one lies or does not end."""
    step = choice.choice([1, 100, 10_000]) if len(request.body) < 5000 else 10_000
    sizes = [lambda n: n, lambda n: n + 1, lambda n: n - 1, lambda n: 2**40]
    chunks = []
    for start in range(0, len(request.body), step):
        part = request.body[start : start + step]
        size = choice.choice(sizes)(len(part)) if choice.random() < 0.1 else len(part)
        chunks.append(b"%x%b\r\n%b\r\n" % (max(size, 0), choice.choice([b"", b";x=1"]), part))
    chunks.append(
        choice.choice([b"0\r\n\r\n", b"", b"0\r\nX: y\r\n\r\n", b"-1\r\n", b"zz\r\n\r\n"])
    )
    encoding = choice.choice(
        ["chunked", "gzip, chunked", "Chunked", "chunked, chunked", "identity"]
    )
    head = request._replace(headers=(*request.headers, ("Transfer-Encoding", encoding)), body=b"")
    return written(head) + b"".join(chunks)


def wrong_bytes(choice, request):
    mutate = choice.choice([flipped, cut_off, rearranged, random_bytes])
    return mutate(choice, written(request)[: choice.choice([60, 300, 10_000])])


WIRES = [wrong_length, wrong_chunks, wrong_bytes]


def malformed(choice, whole):
    """Return the bytes of a request that is wrong by chance, and how it was made so."""
    request, how = choice.choice(whole), []
    for make in choice.choice([[wrong_body], [wrong_body], [wrong_head], [wrong_body, wrong_head]]):
        request = make(choice, request)
        how.append(make.__name__)
    if choice.random() < 0.25:
        wire = choice.choice(WIRES)
        return wire(choice, request), f"{' and '.join([*how, wire.__name__])}"
    return written(request), " and ".join(how)
