"""TorchServe's inference API: a picture, or whatever else our own addresses take, to classes."""

from typing import Any

from nncore.registry import LIVE
from service.answers import to_json
from service.batches import Batch
from service.bodies import Content
from service.decoding import decode
from service.dialects.named_rows import check_keys
from service.media_types import JSON
from service.predictor import Asked, Dialect, Encoded, Prediction
from service.shapes import Rows
from service.sniffing import sniffed


def predict(model: str, version: str = LIVE) -> Asked:
    return Asked(TORCHSERVE, model, version)


def _decode(content: Content, rows: Rows) -> Batch:
    content = sniffed(content, rows.size)
    batch = decode(content, rows)
    check_keys(batch.options, ())
    return batch._replace(options={"many": content.mimetype == JSON or len(batch.pixels) > 1})


def _encode(prediction: Prediction) -> Encoded:
    """Answer as its image classifier does: probabilities by label, the most probable first.

    One picture gets one object; a batch, and all JSON, a list of them.
    """
    labels = prediction.served.labels
    ranking = prediction.ranking(len(labels))
    classes: list[dict[str, Any]] = [
        {labels[c]: row[c] for c in best}
        for row, best in zip(prediction.probabilities, ranking, strict=True)
    ]
    return Encoded(to_json(classes if prediction.batch.options["many"] else classes[0]))


TORCHSERVE = Dialect(_decode, _encode)
