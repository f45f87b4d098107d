"""The quick way to the numbers of a JSON body: it is taken where it can be, and is never wrong."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service import json_digits, json_numbers
from service.json_digits import read_digits
from service.json_numbers import find_numbers
from tests.service.dialect_forms import BYTES, MLFLOW, NUMBERS, OURS, TFS, V2

PLACES = {
    OURS: ["/instances"],
    TFS: ["/instances/images", "/instances", "/inputs/images", "/inputs"],
    MLFLOW: ["/instances", "/inputs/images", "/inputs", "/dataframe_split/data"],
    V2: ["/inputs/0/data"],
}
OBJECTS = ("named rows", "records", "base64", "binary", "npy", "octets", "CSV", "IDX", "raw")
QUICK = [
    name
    for name, form in {**NUMBERS, **BYTES}.items()
    if form.path in PLACES and not any(word in name for word in (*OBJECTS, "zipped", "deflated"))
]


@pytest.fixture(params=["whole", "in pieces"])
def _way(request, monkeypatch):
    """Both quick ways, the one for long bodies also for short ones."""
    if request.param == "in pieces":
        monkeypatch.setattr(json_numbers, "WHOLE_BELOW_BYTES", 0)
        monkeypatch.setattr(json_numbers, "PIECE_BYTES", 500)


@pytest.mark.usefixtures("_way")
@pytest.mark.parametrize("name", QUICK)
def test_bare_numbers_are_read_quickly_in_every_dialect(name, pixels):
    form = {**NUMBERS, **BYTES}[name]

    found = find_numbers(form.write(pixels), PLACES[form.path])

    assert found is not None
    assert found.numbers.size == pixels.size


def test_a_short_body_is_read_whole_and_a_long_one_as_digits_or_in_pieces(monkeypatch):
    row = list(range(256)) * 3 + [0] * 16
    ways = []
    for name in ("_find", "_find_digits", "_find_in_pieces"):
        way = getattr(json_numbers, name)
        monkeypatch.setattr(
            json_numbers, name, lambda *given, n=name, w=way: ways.append(n) or w(*given)
        )

    short = find_numbers(json.dumps({"instances": [row]}).encode(), ["/instances"])
    middle = find_numbers(json.dumps({"instances": [row] * 20}).encode(), ["/instances"])
    whole = find_numbers(json.dumps({"instances": [row] * 2_000}).encode(), ["/instances"])
    row[-1] = 0.5
    decimals = find_numbers(json.dumps({"instances": [row] * 20}).encode(), ["/instances"])
    long = find_numbers(json.dumps({"instances": [row] * 2_000}).encode(), ["/instances"])

    assert [found.shape[0] for found in (short, middle, decimals)] == [1, 20, 20]
    assert whole.shape == long.shape == (2_000, 784)
    assert ways == [
        "_find",
        "_find_digits",
        "_find_digits",
        "_find_digits",
        "_find",
        "_find_digits",
        "_find_in_pieces",
    ]
    assert long.numbers.reshape(2_000, 784)[1_999].tolist() == row


def flat(value):
    return [n for part in value for n in flat(part)] if isinstance(value, list) else [value]


def at(document, place):
    for step in place.split("/")[1:]:
        document = document[int(step) if step.isdigit() else step]
    return document


numbers = st.one_of(st.integers(-300, 300), st.floats(-1e9, 1e9).map(lambda x: round(x, 3)))
rows = st.integers(0, 3).flatmap(lambda n: st.lists(st.lists(numbers, min_size=n, max_size=n)))
anything = st.recursive(
    st.one_of(numbers, st.none(), st.booleans(), st.text(max_size=3)),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "instances", "images"]), inner, max_size=2)
    ),
    max_leaves=12,
)
documents = st.dictionaries(
    st.sampled_from(["instances", "inputs", "outputs", "top_k"]),
    st.one_of(rows, st.lists(numbers), st.lists(rows, max_size=3), anything),
    min_size=1,
)
MISTAKES = [b"", b"[", b"]", b",", b"1", b" ", b'"']
mistakes = st.tuples(st.integers(0, 400), st.sampled_from(MISTAKES))


@settings(max_examples=200)
@given(
    document=documents,
    separators=st.sampled_from([(",", ":"), (", ", ": "), (" , ", " : "), (",\n ", ":")]),
    mistake=st.none() | mistakes,
    insert=st.booleans(),
    piece=st.sampled_from([1, 8, 40]),
)
def test_what_is_found_is_what_stands_there_whatever_the_body(
    document, separators, mistake, insert, piece
):
    body = json.dumps(document, separators=separators).encode()
    if mistake:
        where, what = mistake
        body = body[:where] + what + body[where + (not insert) :]
    places = ["/instances/images", "/instances", "/inputs"]

    with pytest.MonkeyPatch.context() as patch:
        for name in ("WHOLE_BELOW_BYTES", "DIGITS_FROM_BYTES"):
            patch.setattr(json_numbers, name, 0)
        for module in (json_numbers, json_digits):
            patch.setattr(module, "PIECE_BYTES", piece)
        ways = [
            json_numbers._try(way, body, places)
            for way in (
                json_numbers._find,
                json_numbers._find_in_pieces,
                json_numbers._find_digits,
            )
        ]

    for found in filter(None, ways):
        value = at(json.loads(body), found.place)
        assert np.array(value).shape == found.shape
        assert found.numbers.tolist() == flat(value)
        assert at(found.others, found.place) is None


@given(
    st.lists(st.lists(st.integers(0, 400), min_size=1, max_size=4), min_size=1, max_size=5)
    | st.integers(1, 4).flatmap(
        lambda width: st.lists(
            st.lists(st.integers(0, 255), min_size=width, max_size=width), min_size=1, max_size=5
        )
    ),
    st.sampled_from([",", ", ", ",   "]),
    st.none() | st.tuples(st.integers(0, 60), st.sampled_from([*"0, []19-.e", ",,", "  ", "],["])),
    st.booleans(),
    st.sampled_from([1, 7, 1000]),
)
@settings(max_examples=300)
def test_digits_are_read_as_json_has_them_or_not_at_all(rows, comma, mistake, insert, piece):
    text = json.dumps(rows, separators=(comma, ":"))[1:-1]
    if mistake:
        where, what = mistake
        text = text[:where] + what + text[where + (not insert) :]
    right = len({len(row) for row in rows}) == 1 and max(map(max, rows)) < 256
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_digits, "PIECE_BYTES", piece)
        try:
            numbers, shape = read_digits(text.encode(), 0, len(text))
        except ValueError:
            assert mistake or not right
            return

    value = json.loads(f"[{text}]")
    assert np.array(value).shape == shape
    assert numbers.tolist() == flat(value)


@pytest.mark.parametrize("number", [255, 256, 299, 300, 999, 1000, 2551])
def test_digits_are_those_of_pixels(number):
    text = b"[0, %d, 7]" % number
    if number == 255:
        assert read_digits(text, 0, len(text))[0].tolist() == [0, 255, 7]
    else:
        with pytest.raises(ValueError, match="number"):
            read_digits(text, 0, len(text))


def test_rows_of_few_numbers_are_left_to_others():
    text = b",".join([b"[1]"] * 5000)
    with pytest.raises(ValueError, match="few numbers"):
        read_digits(text, 0, len(text))


def test_a_long_body_that_cannot_be_read_in_pieces_is_read_whole(monkeypatch):
    monkeypatch.setattr(json_numbers, "WHOLE_BELOW_BYTES", 0)
    # The second key of this name lets the way in pieces give up.
    body = b'{"instances": [[1, 2]], "others": {"instances": 3}}'

    assert json_numbers.find_numbers(body, ["/instances"])


@pytest.mark.parametrize(
    "rest",
    ["[1]," * 200_000, "[1, 2]," * 100_000, "[[1]]," * 200_000],
    ids=["shorter", "of two lengths", "deeper"],
)
def test_a_long_list_whose_rows_differ_takes_no_room_for_rows_like_the_first(rest):
    first = str([7] * 700_000)
    body = f'{{"instances": [{first}, {rest}[1]]}}'.encode()

    assert find_numbers(body, ("/instances",)) is None
