import copy

import numpy as np
import pytest

from nncore.errors import ShapeError
from nncore.layers import Dense, ReLU, Tanh
from nncore.network import Network


def network(seed=0):
    built = Network([Dense(5), ReLU(), Dense(3)], (4,))
    built.init(np.random.default_rng(seed))
    return built


def test_all_weights_stand_before_all_biases_in_one_flat_array():
    built = network()

    sizes = [param.size for _, param, _ in built.named_params()]

    assert built.params.shape == (sum(sizes),) == (4 * 5 + 5 + 5 * 3 + 3,)
    assert not built.params[4 * 5 + 5 * 3 :].any()  # the biases, which begin at 0
    assert built.params[: 4 * 5 + 5 * 3].all()


def test_writing_into_params_changes_the_network():
    built = network()
    x = np.ones((1, 4), np.float32)

    built.params[...] = 0

    np.testing.assert_array_equal(built.logits(x), np.zeros((1, 3)))


def test_logits_and_forward_agree():
    built, x = network(), np.random.default_rng(1).random((6, 4)).astype(np.float32)

    logits, tape = built.forward(x)

    np.testing.assert_array_equal(built.logits(x), logits)
    assert len(tape) == 3


def test_one_row_and_many_agree():
    built, x = network(), np.random.default_rng(1).random((6, 4)).astype(np.float32)

    # Not bit for bit: BLAS sums in another order.
    np.testing.assert_allclose(
        np.concatenate([built.logits(row[None]) for row in x]), built.logits(x), atol=1e-5
    )


def test_backward_gives_no_input_gradient_unless_asked():
    built, x = network(), np.ones((2, 4), np.float32)
    logits, tape = built.forward(x)

    assert built.backward(tape, logits) is None
    assert built.backward(tape, logits, input_grad=True).shape == x.shape


def test_layers_before_the_first_with_parameters_are_left_out_of_backward():
    class Counting(Tanh):
        calls = 0

        def backward(self, *args, **kwargs):
            Counting.calls += 1
            return super().backward(*args, **kwargs)

    built = Network([Counting(), Dense(3)], (4,))
    logits, tape = built.forward(np.ones((2, 4), np.float32))

    built.backward(tape, logits)
    assert Counting.calls == 0

    built.backward(tape, logits, input_grad=True)
    assert Counting.calls == 1


def test_tensors_bear_pytorchs_names_and_layout_and_come_back():
    built, other = network(0), network(1)

    tensors = built.to_tensors()
    other.from_tensors(tensors)

    assert {name: tensor.shape for name, tensor in tensors.items()} == {
        "0.weight": (5, 4),
        "0.bias": (5,),
        "2.weight": (3, 5),
        "2.bias": (3,),
    }
    np.testing.assert_array_equal(other.params, built.params)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t.pop("0.bias"), "'0.bias': expected shape (5,), got none: it is missing"),
        (lambda t: t.update({"9.weight": t["0.bias"]}), "'9.weight': expected shape none"),
        (lambda t: t.update({"0.bias": t["2.bias"]}), "'0.bias': expected shape (5,), got (3,)"),
    ],
)
def test_tensors_that_do_not_fit_are_refused_and_change_nothing(change, words):
    built = network()
    before, tensors = built.params.copy(), dict(built.to_tensors())
    change(tensors)

    with pytest.raises(ShapeError) as caught:
        built.from_tensors(tensors)

    assert words in str(caught.value)
    np.testing.assert_array_equal(built.params, before)


def test_a_copy_is_whole_and_by_itself():
    built = network()

    copied = copy.deepcopy(built)
    copied.params[...] = 0

    assert built.params.any()
    assert not copied.logits(np.ones((1, 4), np.float32)).any()


def test_a_layer_that_does_not_fit_is_named_by_its_position():
    with pytest.raises(ShapeError, match="Layer 1: A dense layer needs flat rows"):
        Network([ReLU(), Dense(3)], (28, 28))
