"""The layer of docs/add-a-layer.md is one."""

from tests.documents import blocks


def test_the_layer_of_the_document_passes_its_gradient_check_and_a_wrong_one_does_not():
    layer, check = blocks("docs/add-a-layer.md", "python")
    exec(layer + check, {})

    wrong = layer.replace("x * gate * (1 - gate)", "x * gate")
    assert wrong != layer
    try:
        exec(wrong + check, {})
    except AssertionError:
        return
    raise AssertionError("a wrong gradient passed")
