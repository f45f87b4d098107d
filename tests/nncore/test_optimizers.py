import numpy as np
import pytest

from nncore.errors import ConfigError
from nncore.optimizers import OPTIMIZERS, SGD, AdaGrad, Adam, AdamW, RMSprop


def adam_by_the_paper(params, gradients, rate=0.001, beta1=0.9, beta2=0.999, epsilon=1e-8):
    """Algorithm 1 of Kingma & Ba 2015, line by line."""
    m, v = np.zeros_like(params), np.zeros_like(params)
    for t, g in enumerate(gradients, 1):
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        params = params - rate * (m / (1 - beta1**t)) / (np.sqrt(v / (1 - beta2**t)) + epsilon)
    return params


def test_adam_steps_as_in_the_paper():
    rng = np.random.default_rng(0)
    params, gradients = rng.standard_normal(50), rng.standard_normal((100, 50))
    expected = adam_by_the_paper(params, gradients)
    state = Adam().start(params)

    for gradient in gradients:
        Adam().step(params, gradient, state)

    np.testing.assert_allclose(params, expected, rtol=1e-10)


def test_sgd_with_momentum_steps_as_a_worked_example():
    params = np.array([1.0])
    optimizer = SGD(learning_rate=0.1, momentum=0.5)
    state = optimizer.start(params)

    optimizer.step(params, np.array([2.0]), state)  # v = 2,   1 - 0.2
    optimizer.step(params, np.array([1.0]), state)  # v = 2.0, 0.8 - 0.2

    assert params[0] == pytest.approx(0.6)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_step_works_in_place_keeps_float32_and_leaves_the_gradients(name):
    optimizer = OPTIMIZERS[name]()
    params, grads = np.ones(4, np.float32), np.full(4, 2, np.float32)
    same = params
    state = optimizer.start(params)

    optimizer.step(params, grads, state)

    assert params is same
    assert params.dtype == np.float32
    assert (params < 1).all()
    np.testing.assert_array_equal(grads, 2)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_factor_of_a_schedule_scales_the_step(name):
    optimizer = OPTIMIZERS[name]()
    whole, half = np.zeros(3), np.zeros(3)

    optimizer.step(whole, np.ones(3), optimizer.start(whole))
    optimizer.step(half, np.ones(3), optimizer.start(half), factor=0.5)

    np.testing.assert_allclose(half, whole / 2)


@pytest.mark.parametrize(
    "build",
    [
        lambda: SGD(learning_rate=0),
        lambda: SGD(learning_rate=float("nan")),
        lambda: SGD(momentum=1),
        lambda: Adam(beta1=1.0),
        lambda: Adam(beta2=-0.1),
        lambda: Adam(epsilon=0),
        lambda: AdamW(weight_decay=-1),
        lambda: AdaGrad(epsilon=0),
        lambda: RMSprop(decay=1),
    ],
)
def test_hyperparameters_out_of_bounds_are_refused(build):
    with pytest.raises(ConfigError, match="Expected a number"):
        build()


def test_nesterov_without_momentum_is_refused():
    with pytest.raises(ConfigError, match="needs a momentum"):
        SGD(nesterov=True)


def same_as_torch(torch):
    """Pairs of our optimizer and PyTorch's, by the same hyperparameters."""
    return {
        "sgd": (SGD(0.05), lambda p: torch.optim.SGD(p, 0.05)),
        "momentum": (SGD(0.05, 0.9), lambda p: torch.optim.SGD(p, 0.05, 0.9)),
        "nesterov": (
            SGD(0.05, 0.9, nesterov=True),
            lambda p: torch.optim.SGD(p, 0.05, 0.9, nesterov=True),
        ),
        "adagrad": (AdaGrad(0.05), lambda p: torch.optim.Adagrad(p, 0.05)),
        "rmsprop": (RMSprop(0.01), lambda p: torch.optim.RMSprop(p, 0.01)),
        "adam": (Adam(0.01), lambda p: torch.optim.Adam(p, 0.01)),
        "adamw": (AdamW(0.01), lambda p: torch.optim.AdamW(p, 0.01)),
    }


@pytest.mark.parametrize("name", same_as_torch(None))
def test_the_first_hundred_steps_are_pytorchs(name):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed (make peers)")
    ours, theirs = same_as_torch(torch)[name]
    rng = np.random.default_rng(0)
    start, gradients = rng.standard_normal(40), rng.standard_normal((100, 40))
    params = start.astype(np.float32)
    state = ours.start(params)
    tensor = torch.tensor(start.astype(np.float32))
    optimizer = theirs([tensor])

    for gradient in gradients.astype(np.float32):
        ours.step(params, gradient, state)
        tensor.grad = torch.tensor(gradient)
        optimizer.step()

        np.testing.assert_allclose(params, tensor.numpy(), atol=1e-5, rtol=1e-5)


def test_every_optimizer_is_compared_with_pytorchs():
    assert {type(ours) for ours, _ in same_as_torch(None).values()} == set(OPTIMIZERS.values())
