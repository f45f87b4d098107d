"""The two kinds of store: a folder, and a bucket of a real S3 server."""

import inspect

import pytest


def pytest_generate_tests(metafunc):
    """Let a test that takes a store have each kind, but one that looks into the folder."""
    if "store" in metafunc.fixturenames:
        on_disk = {"folder", "tmp_path"} & set(inspect.signature(metafunc.function).parameters)
        kinds = {"folder": "tmp_path"} if on_disk else {"folder": "tmp_path", "bucket": "bucket"}
        metafunc.parametrize("store", kinds.values(), indirect=True, ids=kinds.keys())


@pytest.fixture
def store(request):
    return request.getfixturevalue(request.param)
