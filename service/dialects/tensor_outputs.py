"""Outputs of the Open Inference Protocol: which are wanted and in what form, and their tensors."""

from typing import Any, NamedTuple

from nncore.specs import describe, unknown
from service.dialects import tensors
from service.predictor import Prediction
from service.problems import Problem

OUTPUTS = {"probabilities": "FP32", "label": "BYTES", "probability": "FP32"}
BINARY_SIZE = "binary_data_size"


class Output(NamedTuple):
    """An output as it is wanted: as bytes or as JSON, as numbers or as its best classes."""

    name: str
    binary: bool
    classes: int = 0


def wanted_outputs(request: dict[str, Any]) -> list[Output]:
    """Return the outputs that a request asks for; all where it names none."""
    binary = _flag(parameters_of(request, ""), "binary_data_output", False, "")
    outputs = request.get("outputs")
    if outputs is None or outputs == []:
        return [Output(name, binary) for name in OUTPUTS]
    if not isinstance(outputs, list) or len(outputs) > len(OUTPUTS):
        detail = f"Expected a list of at most {len(OUTPUTS)} outputs; got {describe(outputs)}."
        raise Problem(422, "outputs", detail, pointer="/outputs")
    wanted = [_output(output, binary, f"/outputs/{i}") for i, output in enumerate(outputs)]
    if len({output.name for output in wanted}) < len(wanted):
        raise Problem(422, "output-twice", "Each output may be named once.", pointer="/outputs")
    return wanted


def _output(output: Any, binary: bool, pointer: str) -> Output:
    name = output.get("name") if isinstance(output, dict) else output
    if not isinstance(output, dict) or not isinstance(name, str) or name not in OUTPUTS:
        raise Problem(422, "unknown-output", unknown("output", name, OUTPUTS), pointer=pointer)
    parameters = parameters_of(output, pointer)
    classes = parameters.get("classification", 0)
    if type(classes) is not int or classes < 0 or (classes and name != "probabilities"):
        detail = f"Expected a number of classes, of 'probabilities' alone; got {describe(classes)}."
        raise Problem(422, "classification", detail, pointer=f"{pointer}/parameters/classification")
    return Output(name, _flag(parameters, "binary_data", binary, pointer), classes)


def _flag(parameters: dict[str, Any], key: str, default: bool, pointer: str) -> bool:
    value = parameters.get(key, default)
    if not isinstance(value, bool):
        detail = f"Expected true or false; got {describe(value)}."
        raise Problem(422, "not-a-flag", detail, pointer=f"{pointer}/parameters/{key}")
    return value


def parameters_of(holder: dict[str, Any], pointer: str) -> dict[str, Any]:
    """Return the parameters of a request, an input or an output. Raises Problem 422."""
    parameters = holder.get("parameters")
    if not isinstance(parameters, dict | None):
        detail = f"Expected an object; got {describe(parameters)}."
        raise Problem(422, "not-an-object", detail, pointer=f"{pointer}/parameters")
    return parameters or {}


def output_tensor(prediction: Prediction, output: Output, behind: list[bytes]) -> dict[str, Any]:
    """Return an output's JSON; its bytes, where those are wanted, go to the end of `behind`."""
    datatype, shape, values = _values(prediction, output)
    tensor = {"name": output.name, "datatype": datatype, "shape": shape}
    if not output.binary:
        return tensor | {"data": values}
    content = tensors.strings_to_bytes(values) if datatype == "BYTES" else values.tobytes()
    behind.append(content)
    return tensor | {"parameters": {BINARY_SIZE: len(content)}}


def _values(prediction: Prediction, output: Output) -> tuple[str, list[int], Any]:
    """Return an output's datatype, shape and flat values."""
    count = len(prediction.winners)
    if output.classes:
        classes = _classes(prediction, output.classes)
        return "BYTES", [count, len(classes) // count], classes
    if output.name == "probabilities":
        return "FP32", list(prediction.probabilities.shape), prediction.probabilities.ravel()
    if output.name == "label":
        return "BYTES", [count], prediction.labels
    return "FP32", [count], prediction.confidences


def _classes(prediction: Prediction, count: int) -> list[str]:
    """Return ``value:index:label`` of the best classes of each row, row after row."""
    labels = prediction.served.labels
    return [
        f"{row[c]!s}:{c}:{labels[c]}"
        for row, best in zip(prediction.probabilities, prediction.ranking(count), strict=True)
        for c in best
    ]
