"""A version's files: its weights as published, the formats of others, and its report."""

import hashlib
import io
import mimetypes

import orjson
from flask import Blueprint, Response, request, send_file

from nncore.export import to_npz, to_onnx
from nncore.registry import Version
from nncore.specs import unknown
from service.answers import answer
from service.context import registry
from service.media_types import OCTETS
from service.problems import Problem

bp = Blueprint("files", __name__, url_prefix="/api/v1/models")


@bp.get("/<model>/versions/<version>/weights")
def get_weights(model: str, version: str) -> Response:
    number = registry().resolve(model, version)
    manifest, content = registry().files(model, number)
    return _file(content, f"{model}-v{number}.safetensors", manifest.weights_sha256)


@bp.get("/<model>/versions/<version>/export")
def export(model: str, version: str) -> Response:
    name = request.args.get("format", "")
    if name not in FORMATS:
        raise Problem(422, "unknown-format", unknown("format", name, FORMATS))
    number = registry().resolve(model, version)
    content = FORMATS[name](registry().load(model, number))
    return _file(content, f"{model}-v{number}.{name}", hashlib.sha256(content).hexdigest())


@bp.get("/<model>/versions/<version>/report")
def list_report(model: str, version: str) -> Response:
    return answer({"files": registry().report(model, registry().resolve(model, version))})


@bp.get("/<model>/versions/<version>/report/<name>")
def get_report_file(model: str, version: str, name: str) -> Response:
    content = registry().report_file(model, registry().resolve(model, version), name)
    kind = mimetypes.guess_type(name)[0] or OCTETS
    return send_file(io.BytesIO(content), mimetype=kind, etag=hashlib.sha256(content).hexdigest())


def _onnx(version: Version) -> bytes:
    manifest = version.manifest
    return to_onnx(version.network, manifest.pixel_scaling, manifest.loss, _metadata(version))


def _npz(version: Version) -> bytes:
    return to_npz(version.network, _metadata(version))


FORMATS = {"npz": _npz, "onnx": _onnx}


def _metadata(version: Version) -> dict[str, str]:
    return {"manifest": orjson.dumps(version.manifest.to_dict()).decode()}


def _file(content: bytes, name: str, sha256: str) -> Response:
    """Answer with a file to save; a client that has it already, or a part of it, says so."""
    return send_file(
        io.BytesIO(content), mimetype=OCTETS, as_attachment=True, download_name=name, etag=sha256
    )
