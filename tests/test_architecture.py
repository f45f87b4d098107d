"""The V: service and worker never import each other, and both stand on nncore."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = {"nncore", "jobs", "service", "worker", "inkwell"}
BOTH = {"nncore", "jobs", "numpy", "redis", "rq"}
MAY_IMPORT = {
    "nncore": {"numpy", "obstore", "safetensors", "sklearn", "opentelemetry"},
    "jobs": {"nncore", "redis", "rq"},
    "worker": BOTH | {"matplotlib", "sklearn", "threadpoolctl"},
    "service": BOTH
    | {"flask", "werkzeug", "gunicorn", "PIL", "orjson", "simdjson", "prometheus_client"},
    "inkwell": {"click", "httpx", "rich", "honcho"},
}
ONE_FILE = [
    ("obstore", "nncore/object_store.py"),
    ("safetensors", "nncore/weights.py"),
    ("sklearn", "nncore/estimator.py"),
    ("opentelemetry", "nncore/spans.py"),
    ("matplotlib", "worker/report.py"),
    ("prometheus_client", "service/metrics.py"),
]
MODULES = [
    pytest.param(room, path, id=str(path.relative_to(ROOT)))
    for room in sorted(ROOMS)
    for path in sorted((ROOT / room).rglob("*.py"))
]


def imports(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: say the whole name"
            yield node.module


@pytest.mark.parametrize(("room", "path"), MODULES)
def test_a_module_imports_only_what_its_room_may(room, path):
    found = {name.partition(".")[0] for name in imports(path)}

    forbidden = found - MAY_IMPORT[room] - {room} - set(sys.stdlib_module_names)

    assert not forbidden


@pytest.mark.parametrize(("library", "path"), ONE_FILE)
def test_some_libraries_are_named_in_one_file_alone(library, path):
    naming = [
        str(module.relative_to(ROOT))
        for room, module in (param.values for param in MODULES)
        if path.startswith(f"{room}/")
        and any(name.partition(".")[0] == library for name in imports(module))
    ]

    assert naming == [path]


def test_nothing_imports_the_estimator():
    for _, path in (param.values for param in MODULES):
        assert "nncore.estimator" not in set(imports(path)), path


def test_the_environment_is_read_in_the_settings_alone():
    reading = {
        str(path.relative_to(ROOT))
        for _, path in (param.values for param in MODULES)
        if any(
            isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and (node.value.id, node.attr) in {("os", "environ"), ("os", "getenv")}
            for node in ast.walk(ast.parse(path.read_text()))
        )
    }

    assert reading == {f"{room}/settings.py" for room in ("service", "worker", "inkwell")}


def test_no_module_loads_pickles():
    for _, path in (param.values for param in MODULES):
        assert "pickle" not in set(imports(path)), path
        assert "allow_pickle=True" not in path.read_text(), path


@pytest.mark.parametrize(
    ("program", "other"), [("service.wsgi", "worker"), ("worker.__main__", "service")]
)
def test_a_program_starts_without_what_it_may_never_need(program, other, tmp_path):
    code = f"import sys, {program}; print(*sorted({{m.partition('.')[0] for m in sys.modules}}))"

    loaded = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={"INKWELL_STORE": str(tmp_path), "PATH": ""},
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()

    assert "nncore" in loaded
    unwanted = {"sklearn", "scipy", "pandas", "matplotlib", "onnx", "torch", other}
    assert not unwanted & set(loaded)
