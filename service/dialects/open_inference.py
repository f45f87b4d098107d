"""Inference in the Open Inference Protocol V2, with Triton's binary tensors and classification."""

from typing import Any

from nncore.arrays import Pixels, Shape
from nncore.registry import LIVE
from nncore.specs import describe, unknown
from service.answers import to_json
from service.batches import Batch
from service.bodies import Content
from service.decoding import decode
from service.dialects import tensors
from service.dialects.tensor_outputs import (
    BINARY_SIZE,
    OUTPUTS,
    Output,
    output_tensor,
    parameters_of,
    wanted_outputs,
)
from service.json_body import check_commas, read_object
from service.json_numbers import find_numbers
from service.media_types import JSON, OCTETS
from service.predictor import Asked, Dialect, Encoded, Prediction
from service.problems import Problem
from service.shapes import Rows

INPUT = "images"
HEADER_LENGTH = "Inference-Header-Content-Length"
AT_INPUT = "/inputs/0"
AT_DATA = f"{AT_INPUT}/data"


def infer(model: str, version: str = LIVE) -> Asked:
    return Asked(OPEN_INFERENCE, model, version)


def _decode(content: Content, rows: Rows) -> Batch:
    if content.inference_header_length == "0":
        return _decode_raw(content.body, rows)
    head, rest = _split(content)
    check_commas(head, rows)
    found = find_numbers(head, (AT_DATA,))
    request = found.others if found else read_object(head)
    tensor = _only_input(request)
    shape, datatype = _shape(tensor), _datatype(tensor)
    rows.check_shape(shape)
    array: Pixels
    if BINARY_SIZE in parameters_of(tensor, AT_INPUT):
        _check_binary_size(tensor, rest)
        array = tensors.from_bytes(rest, datatype, shape)
    elif rest:
        detail = f"Expected no bytes behind the JSON, without {BINARY_SIZE}; got {len(rest):,}."
        raise Problem(422, "tensor-size", detail, pointer=AT_INPUT)
    else:
        numbers = (
            tensors.from_found(found, shape, AT_DATA)
            if found
            else tensors.from_lists(tensor.get("data"), shape, AT_DATA)
        )
        array = tensors.as_datatype(numbers, datatype, AT_DATA)
    pixels, pixel_range = tensors.pixels_of(array, datatype, rows.size, AT_DATA)
    return Batch(pixels, pixel_range, {"id": _id(request), "outputs": wanted_outputs(request)})


def _decode_raw(body: bytes, rows: Rows) -> Batch:
    """Read a body that is nothing but the one tensor: all outputs are wanted, as bytes."""
    batch = decode(Content(body, OCTETS), rows)
    return batch._replace(options={"outputs": [Output(name, True) for name in OUTPUTS]})


def _split(content: Content) -> tuple[bytes, bytes]:
    """Return the JSON in front, and the tensors behind it."""
    length, size = content.inference_header_length, len(content.body)
    if length is None:
        return content.body, b""
    if not length.isascii() or not length.isdecimal() or int(length) > size:
        detail = f"Expected {HEADER_LENGTH} from 0 to {size:,}, the body's; got {length[:80]!r}."
        raise Problem(400, "header-length", detail)
    return content.body[: int(length)], content.body[int(length) :]


def _only_input(request: dict[str, Any]) -> dict[str, Any]:
    inputs = request.get("inputs")
    if not isinstance(inputs, list) or len(inputs) != 1 or not isinstance(inputs[0], dict):
        detail = f"Expected a list of one input, {INPUT!r}; got {describe(inputs)}."
        raise Problem(422, "inputs", detail, pointer="/inputs")
    if inputs[0].get("name") != INPUT:
        detail = unknown("input", inputs[0].get("name"), (INPUT,))
        raise Problem(422, "unknown-input", detail, pointer=f"{AT_INPUT}/name")
    tensor: dict[str, Any] = inputs[0]
    return tensor


def _shape(tensor: dict[str, Any]) -> Shape:
    shape = tensor.get("shape")
    if not isinstance(shape, list) or not 1 <= len(shape) <= 3 or not all(map(_is_size, shape)):
        detail = f"Expected a list of 1 to 3 whole numbers; got {describe(shape)}."
        raise Problem(422, "shape", detail, pointer=f"{AT_INPUT}/shape")
    return tuple(shape)


def _is_size(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**31


def _datatype(tensor: dict[str, Any]) -> str:
    datatype = tensor.get("datatype")
    if not isinstance(datatype, str) or datatype not in tensors.DATATYPES:
        detail = unknown("datatype", datatype, tensors.DATATYPES)
        raise Problem(422, "unknown-datatype", detail, pointer=f"{AT_INPUT}/datatype")
    return datatype


def _check_binary_size(tensor: dict[str, Any], rest: bytes) -> None:
    size = tensor["parameters"][BINARY_SIZE]
    if "data" in tensor:
        detail = f"Expected either data or {BINARY_SIZE}; got both."
        raise Problem(422, "tensor-twice", detail, pointer=AT_INPUT)
    if type(size) is not int or size != len(rest):
        detail = f"Expected {len(rest):,}, the bytes behind the JSON; got {describe(size)}."
        raise Problem(422, "tensor-size", detail, pointer=f"{AT_INPUT}/parameters/{BINARY_SIZE}")


def _id(request: dict[str, Any]) -> str | None:
    given = request.get("id")
    if not isinstance(given, str | None):
        detail = f"Expected a text; got {describe(given)}."
        raise Problem(422, "not-an-id", detail, pointer="/id")
    return given


def _encode(prediction: Prediction) -> Encoded:
    served, options = prediction.served, prediction.batch.options
    behind: list[bytes] = []
    document: dict[str, Any] = {
        "model_name": served.model,
        "model_version": str(served.version),
        "outputs": [output_tensor(prediction, output, behind) for output in options["outputs"]],
    }
    if options.get("id") is not None:
        document["id"] = options["id"]
    head = to_json(document)
    if not any(output.binary for output in options["outputs"]):
        return Encoded(head, JSON)
    return Encoded(b"".join((head, *behind)), OCTETS, {HEADER_LENGTH: str(len(head))})


OPEN_INFERENCE = Dialect(_decode, _encode)
