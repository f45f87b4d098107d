"""JSON Schemas of what the API takes and answers, by name."""

from jobs.options import JobOptions
from jobs.sweep_request import SweepRequest
from nncore.config import TrainConfig
from nncore.manifest import Manifest
from nncore.targets import MAX_SPLIT
from service.dialects.open_inference import INPUT
from service.dialects.tensor_outputs import OUTPUTS
from service.dialects.tensors import DATATYPES
from service.openapi.hyperparameters import Schema, schema_of
from service.predictions import OUTPUTS as PREDICTION_OUTPUTS

TEXT: Schema = {"type": "string"}
WHOLE: Schema = {"type": "integer"}
NUMBER: Schema = {"type": "number"}
FLAG: Schema = {"type": "boolean"}
ANY: Schema = {}


def ref(name: str) -> Schema:
    """Return the reference to a schema of the document."""
    return {"$ref": f"#/components/schemas/{name}"}


def listing(items: Schema) -> Schema:
    """Return the schema of a list."""
    return {"type": "array", "items": items}


def thing(optional: dict[str, Schema] | None = None, /, **required: Schema) -> Schema:
    """Return the schema of an object with these members."""
    properties = {**required, **(optional or {})}
    return {"type": "object", "properties": properties, "required": list(required)}


def strict(schema: Schema) -> Schema:
    """Return the schema of an object that has no other members."""
    return {**schema, "additionalProperties": False}


def nullable(schema: Schema) -> Schema:
    """Return `schema`, or null."""
    return {"anyOf": [schema, {"type": "null"}]}


PATH_PARAMETERS: dict[str, Schema] = {
    "number": {"type": "integer", "minimum": 1, "examples": [1]},
    "model": {"type": "string", "examples": ["digits"]},
    "version": {"type": "string", "description": "A number, or an alias.", "examples": ["live"]},
    "alias": {"type": "string", "examples": ["live"]},
    "job_id": {"type": "string"},
    "sweep_id": {"type": "string"},
    "schedule": {"type": "string", "examples": ["nightly"]},
    "dataset": {"type": "string", "examples": ["mnist"]},
    "name": {"type": "string", "examples": ["golden.npz"]},
    "filename": {"type": "string", "examples": ["inkwell.css"]},
}

_CONFIG: Schema = {**schema_of(TrainConfig), "required": ["model"]}
_OPTIONS = schema_of(JobOptions)
_ROWS = ref("Rows")
_NAMED = {"anyOf": [_ROWS, thing(**{INPUT: _ROWS}), listing(ref("NamedRow"))]}
_VERSION = thing({"aliases": listing(TEXT)}, version=WHOLE)
_MOVE = thing(
    alias=TEXT, at=TEXT, to=nullable(WHOLE), reason=TEXT, actor=TEXT, **{"from": nullable(WHOLE)}
)
_SPLIT = {
    **thing(),
    "additionalProperties": {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
    "minProperties": 2,
    "maxProperties": MAX_SPLIT,
    "examples": [{"7": 0.95, "8": 0.05}],
}
_NAMES = {"version": nullable(WHOLE), "split": nullable(_SPLIT), "shadow": nullable(WHOLE)}
_WHY: dict[str, Schema] = {
    "reason": {"type": "string", "maxLength": 2000},
    "actor": {"type": "string", "maxLength": 200},
}
_DURATION = thing(count=WHOLE, ns=WHOLE)
_PARAMS = {"params": ANY, "parameters": ANY}
_STEPS = ("success", "fail", "queue", "compute_input", "compute_infer", "compute_output")
_TENSOR = {"name": TEXT, "datatype": TEXT, "shape": listing(WHOLE)}

SCHEMAS: dict[str, Schema] = {
    "Problem": {
        **thing(
            {
                "request_id": nullable(TEXT),
                "errors": listing(thing(pointer=TEXT, detail=TEXT)),
            },
            type=TEXT,
            title=TEXT,
            status=WHOLE,
            detail=TEXT,
        ),
        "description": "RFC 9457. A pointer (RFC 6901) names the member that is to blame.",
    },
    "Error": thing(error=TEXT),
    "MlflowError": thing(error_code=TEXT, message=TEXT),
    "TorchServeError": thing(code=WHOLE, type=TEXT, message=TEXT),
    "Rows": {
        "description": "Rows of 784 numbers, or pictures as 28 rows of 28, or one of either; "
        "0-255 or 0-1. A model may take rows of another length.",
        "anyOf": [
            listing(NUMBER),
            listing(listing(NUMBER)),
            listing(listing(listing(NUMBER))),
        ],
        "examples": [[[0] * 784]],
    },
    "NamedRow": {"anyOf": [thing(**{INPUT: ANY}), thing(b64=TEXT)]},
    "Batch": strict(
        thing(
            {
                "pixel_range": {"enum": ["0-255", "0-1"]},
                "outputs": listing({"enum": list(PREDICTION_OUTPUTS)}),
                "top_k": {"type": "integer", "minimum": 1},
            },
            instances=_ROWS,
        )
    ),
    "Predictions": thing(
        {"refused": listing(thing(file=TEXT, type=TEXT, detail=TEXT))},
        model=TEXT,
        version=WHOLE,
        labels=listing(TEXT),
        pixel_range=TEXT,
        predictions=listing(
            thing(
                {
                    "label": TEXT,
                    "probability": NUMBER,
                    "probabilities": listing(NUMBER),
                    "top_k": listing(thing(label=TEXT, probability=NUMBER)),
                    "input": listing(ANY),
                    "saliency": listing(ANY),
                }
            )
        ),
    ),
    "TrainConfig": _CONFIG,
    "JobRequest": {**_CONFIG, "properties": _CONFIG["properties"] | _OPTIONS["properties"]},
    "DryRun": thing(
        config=thing(),
        parameters=WHOLE,
        memory_bytes=WHOLE,
        seconds=NUMBER,
        rows_per_second=NUMBER,
        seconds_from={"enum": ["finished runs", "timed steps"]},
    ),
    "Job": {
        "allOf": [
            ref("JobInShort"),
            thing(history=listing(thing(epoch=WHOLE)), story=listing(thing(at=TEXT, event=TEXT))),
        ]
    },
    "JobInShort": thing(
        id=TEXT,
        status=TEXT,
        stopping=FLAG,
        position=nullable(WHOLE),
        options=thing(),
        sweep=nullable(TEXT),
        times=thing(created_at=TEXT),
        config=thing(),
        progress=nullable(thing()),
        result=nullable(thing()),
        error=nullable(TEXT),
    ),
    "Jobs": thing(jobs=listing(ref("JobInShort")), next_cursor=nullable(TEXT)),
    "SweepRequest": schema_of(SweepRequest),
    "Sweep": {
        "allOf": [
            ref("SweepInShort"),
            thing(
                request=thing(),
                trials=listing(ref("Trial")),
                best=nullable(ref("Trial")),
                result=nullable(thing()),
            ),
        ]
    },
    "SweepInShort": thing(
        id=TEXT,
        status=TEXT,
        model=TEXT,
        metric=TEXT,
        parameters=listing(TEXT),
        times=thing(created_at=TEXT, ended_at=nullable(TEXT)),
        plot=TEXT,
        error=nullable(TEXT),
    ),
    "Trial": thing(
        job=nullable(TEXT),
        status=TEXT,
        parameters=thing(),
        epoch=nullable(WHOLE),
        validation_accuracy=nullable(NUMBER),
        validation_loss=nullable(NUMBER),
        loss=nullable(NUMBER),
        seconds=nullable(NUMBER),
        error=nullable(TEXT),
    ),
    "Sweeps": thing(sweeps=listing(ref("SweepInShort")), next_cursor=nullable(TEXT)),
    "DatasetInShort": thing(
        {"sha256": TEXT, "created_at": TEXT},
        name=TEXT,
        labels=listing(TEXT),
        train_rows=WHOLE,
        test_rows=WHOLE,
    ),
    "Dataset": {
        "allOf": [ref("DatasetInShort"), thing(format=TEXT, report=thing(warnings=listing(TEXT)))]
    },
    "Datasets": thing(
        datasets=listing({"anyOf": [ref("DatasetInShort"), thing(name=TEXT, error=TEXT)]})
    ),
    "Feedback": strict(
        thing(
            {
                "model": TEXT,
                "version": {"anyOf": [WHOLE, TEXT]},
                "label": {"anyOf": [WHOLE, TEXT]},
                "labels": listing({"anyOf": [WHOLE, TEXT]}),
                "pixel_range": {"enum": ["0-255", "0-1"]},
            },
            instances=_ROWS,
        )
    ),
    "FeedbackKept": thing(model=TEXT, added=WHOLE, count=WHOLE),
    "FeedbackList": thing(
        model=TEXT,
        count=WHOLE,
        labels={"type": "object", "additionalProperties": WHOLE},
        feedback=listing(thing(number=WHOLE, label=TEXT, at=TEXT, version=WHOLE, pixels=TEXT)),
        next_cursor=nullable(TEXT),
    ),
    "ScheduleRequest": strict(thing(cron=TEXT, job=ref("JobRequest"))),
    "Schedule": thing(
        name=TEXT,
        cron=TEXT,
        job=thing(),
        created_at=TEXT,
        next_at=TEXT,
        last_at=nullable(TEXT),
        last_job=nullable(TEXT),
        error=nullable(TEXT),
    ),
    "Schedules": thing(schedules=listing(ref("Schedule"))),
    "Model": thing(
        name=TEXT,
        live=nullable(WHOLE),
        aliases={"type": "object", "additionalProperties": WHOLE},
        latest=nullable(WHOLE),
        versions=WHOLE,
    ),
    "Models": thing(models=listing(ref("Model"))),
    "Versions": thing(versions=listing(_VERSION), next_cursor=nullable(TEXT)),
    "Manifest": {"allOf": [_VERSION, {**schema_of(Manifest), "additionalProperties": True}]},
    "Files": thing(files=listing(TEXT)),
    "History": thing(history=listing(_MOVE)),
    "Move": strict(thing({**_NAMES, **_WHY})),
    "Removal": strict(thing(_WHY)),
    "Rollback": strict(thing({"alias": TEXT, **_WHY})),
    "Alias": thing(
        model=TEXT,
        alias=TEXT,
        previous=nullable(WHOLE),
        **_NAMES,
        at=nullable(TEXT),
        reason=TEXT,
        actor=TEXT,
    ),
    "Aliases": thing(aliases=listing(ref("Alias"))),
    "Shadows": thing(
        shadows=listing(
            thing(
                model=TEXT,
                version=WHOLE,
                shadow=WHOLE,
                requests=WHOLE,
                rows=WHOLE,
                agreed=WHOLE,
                unseen=WHOLE,
                agreement=nullable(NUMBER),
                disagreements=listing(thing(answer=TEXT, shadow_answer=TEXT, pixels=ANY)),
            )
        )
    ),
    "Alive": thing(status=TEXT),
    "Ready": thing(
        ready=FLAG,
        model=TEXT,
        version=nullable(WHOLE),
        reason=nullable(TEXT),
        refused=listing(thing(model=TEXT, alias=TEXT, reason=TEXT)),
    ),
    "System": thing(
        waiting=nullable({"type": "object", "additionalProperties": WHOLE}),
        workers=nullable(
            listing(
                thing(
                    name=TEXT, born_at=nullable(TEXT), seen_at=nullable(TEXT), job_id=nullable(TEXT)
                )
            )
        ),
        processes=listing(thing(serves=listing(thing(model=TEXT, version=WHOLE)), last_at=TEXT)),
        answered=listing(
            thing(
                model=TEXT,
                version=WHOLE,
                requests=WHOLE,
                failures=WHOLE,
                rows=WHOLE,
                seconds=NUMBER,
            )
        ),
    ),
    "Server": thing(name=TEXT, version=TEXT, extensions=listing(TEXT)),
    "ServerHealth": thing({"ready": FLAG}, live=FLAG),
    "ModelNames": thing(models=listing(TEXT)),
    "ModelReady": thing(name=TEXT, ready=FLAG),
    "ModelMetadata": thing(
        name=TEXT,
        versions=listing(TEXT),
        platform=TEXT,
        inputs=listing(thing(**_TENSOR)),
        outputs=listing(thing(**_TENSOR)),
    ),
    "ModelConfig": thing(
        name=TEXT,
        platform=TEXT,
        max_batch_size=WHOLE,
        input=listing(thing(name=TEXT, data_type=TEXT, dims=listing(WHOLE))),
        output=listing(thing(name=TEXT, data_type=TEXT, dims=listing(WHOLE))),
    ),
    "Statistics": thing(
        model_stats=listing(
            thing(
                name=TEXT,
                version=TEXT,
                last_inference=WHOLE,
                inference_count=WHOLE,
                execution_count=WHOLE,
                inference_stats=thing(**dict.fromkeys(_STEPS, _DURATION)),
            )
        )
    ),
    "InferRequest": thing(
        {
            "id": TEXT,
            "parameters": thing(),
            "outputs": listing(thing({"parameters": thing()}, name={"enum": list(OUTPUTS)})),
        },
        inputs={
            "type": "array",
            "minItems": 1,
            "maxItems": 1,
            "items": thing(
                {"parameters": thing(), "data": listing(ANY)},
                name={"const": INPUT},
                datatype={"enum": list(DATATYPES)},
                shape={"type": "array", "items": {"type": "integer", "minimum": 0}},
            ),
        },
    ),
    "InferResponse": thing(
        {"id": TEXT},
        model_name=TEXT,
        model_version=TEXT,
        outputs=listing(thing({"data": listing(ANY), "parameters": thing()}, **_TENSOR)),
    ),
    "IndexRequest": thing({"ready": FLAG}),
    "Index": listing(thing(name=TEXT, version=TEXT, state=TEXT, reason=TEXT)),
    "LoadRequest": thing({"parameters": {"type": "object", "maxProperties": 0}}),
    "Loaded": thing(name=TEXT, load=FLAG),
    "Unloaded": thing(name=TEXT, unload=FLAG),
    "PredictRequest": {
        "anyOf": [
            strict(thing({"signature_name": TEXT}, instances=_NAMED)),
            strict(thing({"signature_name": TEXT}, inputs=_NAMED)),
        ]
    },
    "PredictResponse": thing(
        {"predictions": listing(listing(NUMBER)), "outputs": listing(listing(NUMBER))}
    ),
    "ClassifyRequest": strict(thing({"signature_name": TEXT, "context": ANY}, examples=_NAMED)),
    "ClassifyResponse": thing(results=listing(listing(listing({"type": ["string", "number"]})))),
    "ModelStatus": thing(
        name=TEXT,
        ready=FLAG,
        model_version_status=listing(
            thing(version=TEXT, state=TEXT, status=thing(error_code=TEXT, error_message=TEXT))
        ),
    ),
    "SignatureMetadata": thing(
        model_spec=thing(name=TEXT, signature_name=TEXT, version=TEXT), metadata=thing()
    ),
    "Invocation": {
        "anyOf": [
            strict(thing(_PARAMS, instances=_NAMED)),
            strict(thing(_PARAMS, inputs=_NAMED)),
            strict(
                thing(
                    _PARAMS,
                    dataframe_split=strict(
                        thing({"index": listing(ANY)}, columns=listing(ANY), data=_ROWS)
                    ),
                )
            ),
            strict(thing(_PARAMS, dataframe_records=listing(thing()))),
        ]
    },
    "Scores": thing(predictions=listing(listing(NUMBER))),
    "Healthy": thing(status=TEXT),
    "Classes": {
        "description": "Probabilities by label; a list of them for a batch.",
        "anyOf": [ref("ByLabel"), listing(ref("ByLabel"))],
    },
    "ByLabel": {"type": "object", "additionalProperties": NUMBER},
    "Document": thing(openapi=TEXT, info=thing(), paths=thing()),
}
