from pathlib import Path

import joblib
import numpy as np
import pytest
from sklearn.datasets import load_digits, load_iris
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks
from threadpoolctl import threadpool_limits

from nncore.estimator import Activation, NeuralNetClassifier
from nncore.layers import Dense, Dropout, LeakyReLU
from nncore.optimizers import SGD, Optimizer
from nncore.schedules import Step

ROOT = Path(__file__).parents[2]
SMALL = {"hidden": (16,), "epochs": 5, "random_state": 0}


@pytest.fixture(scope="module")
def digits():
    return load_digits(return_X_y=True)


@pytest.fixture(scope="module")
def iris():
    X, y = load_iris(return_X_y=True)
    return StandardScaler().fit_transform(X), y


def fitted(data, **changed):
    return NeuralNetClassifier(**SMALL | changed).fit(*data)


def trained_bytes(data, **changed):
    return fitted(data, **changed).network_.params.tobytes()


@parametrize_with_checks([NeuralNetClassifier()])
def test_it_keeps_what_scikit_learn_expects(estimator, check):
    check(estimator)


def test_in_a_pipeline_it_scores_above_90_percent_in_cross_validation(digits):
    pipeline = make_pipeline(StandardScaler(), NeuralNetClassifier(epochs=20, random_state=0))

    scores = cross_val_score(pipeline, *digits, cv=3)

    assert (scores > 0.9).all()


def test_a_grid_search_finds_the_better_network(digits):
    grid = {
        "neuralnetclassifier__hidden": [(1,), (64,)],
        "neuralnetclassifier__learning_rate": np.array([1e-5, 1e-2]),
    }
    pipeline = make_pipeline(StandardScaler(), NeuralNetClassifier(epochs=10, random_state=0))

    search = GridSearchCV(pipeline, grid, cv=2).fit(*digits)

    assert list(search.best_params_.values()) == [(64,), 1e-2]
    assert search.best_score_ > 0.9


def test_it_is_as_good_as_scikit_learns_own_network(digits):
    ours = NeuralNetClassifier(random_state=0)
    theirs = MLPClassifier(hidden_layer_sizes=(128, 64), random_state=0)

    # On a busy machine OpenBLAS's threads wait for each other: theirs took 57 s instead of 1.4.
    with threadpool_limits(1):
        ours, theirs = (
            cross_val_score(make_pipeline(StandardScaler(), network), *digits, cv=3).mean()
            for network in (ours, theirs)
        )

    assert ours > theirs - 0.01


def test_the_same_random_state_gives_the_same_bytes(iris):
    assert trained_bytes(iris, random_state=3) == trained_bytes(iris, random_state=3)
    assert trained_bytes(iris, random_state=3) != trained_bytes(iris, random_state=4)


def test_without_a_random_state_numpys_global_one_decides(iris):
    before = np.random.get_state()  # noqa: NPY002 - what scikit-learn's users seed

    first, second = (trained_bytes(iris, random_state=None) for _ in range(2))
    np.random.set_state(before)  # noqa: NPY002
    again = trained_bytes(iris, random_state=None)

    assert first == again != second


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"hidden": (8, 0)}, r"^hidden/1/units: Expected a number at least 1 .*; got 0\.$"),
        ({"hidden": "8"}, r"^hidden/0/units: Expected a whole number; got '8'\.$"),
        ({"hidden": None}, r"^hidden/0/units: Expected a whole number; got null\.$"),
        (
            {"activation": "dropout"},
            r"^activation/type: Unknown activation 'dropout'\. Known: gelu",
        ),
        ({"activation": Dropout()}, r"^activation: Expected .*; got Dropout\(rate=0\.5\)\.$"),
        ({"optimizer": "adm"}, r"^optimizer/type: Unknown optimizer 'adm'\. Did you mean 'adam'\?"),
        ({"optimizer": {"type": "sgd", "momentum": 1}}, r"^optimizer/momentum: .* below 1; got 1"),
        ({"learning_rate": 0}, r"^learning_rate: Expected a number above 0; got 0\.$"),
        ({"learning_rate": "0.1"}, r"^learning_rate: Expected a number; got '0\.1'\.$"),
        ({"schedule": "cosinus"}, r"^schedule/type: Unknown schedule .* Did you mean 'cosine'\?"),
        ({"epochs": 0}, r"^epochs: Expected a number at least 1 .*; got 0\.$"),
        ({"epochs": 1.5}, r"^epochs: Expected a whole number; got 1\.5\.$"),
        ({"batch_size": -1}, r"^batch_size: Expected a number at least 1 .*; got -1\.$"),
        ({"l2": float("nan")}, r"^l2: Expected a number at least 0; got nan\.$"),
        ({"dropout": 1}, r"^dropout/rate: Expected a number at least 0 and below 1; got 1\.$"),
        ({"label_smoothing": 1.0}, r"^label_smoothing: Expected .* below 1; got 1\.0\.$"),
        ({"early_stopping": 5}, r"^early_stopping: Expected true or false; got 5\.$"),
        ({"patience": 0}, r"^patience: Expected a number at least 1 .*; got 0\.$"),
        (
            {"validation_fraction": 1.0},
            r"^validation_fraction: .* above 0 and below 1; got 1\.0\.$",
        ),
        ({"random_state": "x"}, r"'x' cannot be used to seed"),
    ],
)
def test_a_wrong_hyperparameter_is_refused_by_its_name(iris, changed, message):
    with pytest.raises(ValueError, match=message):
        fitted(iris, **changed)


@pytest.mark.parametrize(
    "changed",
    [
        {"hidden": ()},
        {"activation": "tanh"},
        {"optimizer": "sgd"},
        {"learning_rate": 0.01},
        {"schedule": "constant"},
        {"epochs": 4},
        {"batch_size": None},
        {"l2": 0.1},
        {"dropout": 0.1},
        {"label_smoothing": 0.1},
        {"early_stopping": True},
        {"early_stopping": True, "validation_fraction": 0.2},
    ],
    ids=str,
)
def test_every_hyperparameter_has_its_effect(iris, changed):
    stopping = {key: True for key in ("early_stopping",) if "validation_fraction" in changed}

    assert trained_bytes(iris, **changed) != trained_bytes(iris, **stopping)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"hidden": 8}, {"hidden": (8,)}),
        ({"hidden": [8, 4]}, {"hidden": np.array([8, 4])}),
        ({"activation": {"type": "leaky_relu", "slope": 0.2}}, {"activation": LeakyReLU(0.2)}),
        ({"optimizer": {"type": "sgd", "momentum": 0.5}}, {"optimizer": SGD(momentum=0.5)}),
        ({"optimizer": SGD(0.5), "learning_rate": 0.2}, {"optimizer": SGD(0.2)}),
        ({"schedule": {"type": "step", "parts": 2}}, {"schedule": Step(parts=2)}),
        ({"epochs": np.int64(3)}, {"epochs": 3}),
        ({"learning_rate": np.float32(0.5)}, {"learning_rate": 0.5}),
        ({"early_stopping": np.True_}, {"early_stopping": True}),
    ],
    ids=str,
)
def test_a_hyperparameter_may_be_written_in_several_ways(iris, one, other):
    assert trained_bytes(iris, **one) == trained_bytes(iris, **other)


def test_an_optimizer_of_ones_own_will_do(iris):
    class Still(Optimizer):
        def start(self, params):
            return {}

        def step(self, params, grads, state, *, factor=1.0):
            pass

    losses = fitted(iris, optimizer=Still(1.0)).loss_curve_

    np.testing.assert_allclose(losses, losses[0])


@pytest.mark.parametrize("name", Activation.names)
def test_every_activation_learns(iris, name):
    assert fitted(iris, activation=name, epochs=30, learning_rate=0.02).score(*iris) > 0.9


def test_dense_and_dropout_are_no_activations():
    assert {"relu", "tanh", "sigmoid"} < set(Activation.names)
    assert not {"dense", "dropout", "batch_norm"} & set(Activation.names)


def test_dropout_stands_behind_each_hidden_layer(iris):
    layers = fitted(iris, hidden=(8, 4), activation=LeakyReLU(), dropout=0.25).network_.layers

    block = (LeakyReLU(), Dropout(0.25))
    assert layers == (Dense(8), *block, Dense(4), *block, Dense(3))


@pytest.mark.parametrize(
    ("given", "computed"), [("float32", "float32"), ("float64", "float64"), ("int64", "float64")]
)
def test_the_network_computes_in_the_dtype_of_what_it_was_fitted_to(iris, given, computed):
    X, y = iris

    classifier = fitted((X.astype(given), y))

    assert classifier.network_.params.dtype == computed
    assert classifier.predict_proba(X).dtype == computed


def test_a_row_is_answered_alike_alone_and_among_many(digits):
    X, _ = digits
    classifier = fitted(digits, epochs=2)
    many = np.tile(X, (1 + classifier.network_.rows_at_once // len(X), 1))

    probabilities = classifier.predict_proba(many)

    np.testing.assert_allclose(
        classifier.predict_proba(X[:1]), probabilities[:1], rtol=1e-9, atol=1e-12
    )
    np.testing.assert_allclose(
        classifier.predict_proba(X[-1:]), probabilities[-1:], rtol=1e-9, atol=1e-12
    )


def test_labels_may_be_texts(iris):
    X, y = iris
    names = np.array(["setosa", "versicolor", "virginica"])[y]

    by_name, by_number = fitted((X, names)), fitted(iris)

    assert list(by_name.classes_) == ["setosa", "versicolor", "virginica"]
    assert list(by_name.predict(X)) == list(by_name.classes_[by_number.predict(X)])


def test_two_classes_and_one_feature_are_enough():
    X = np.linspace(-2, 2, 60)[:, None]

    classifier = fitted((X, X[:, 0] > 0.5), epochs=60, learning_rate=0.02)

    assert classifier.predict_proba(X).shape == (60, 2)
    assert classifier.score(X, X[:, 0] > 0.5) > 0.95


def test_of_one_class_it_is_certain(iris):
    X, y = iris

    classifier = fitted((X[y == 1], y[y == 1]))

    assert (classifier.predict(X) == 1).all()
    assert (classifier.predict_proba(X) == 1).all()


def test_the_loss_curve_has_each_epoch_and_falls(iris):
    classifier = fitted(iris)

    assert len(classifier.loss_curve_) == classifier.n_iter_ == 5
    assert classifier.loss_curve_ == sorted(classifier.loss_curve_, reverse=True)


def test_early_stopping_ends_the_training_and_holds_rows_out():
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(200, 5)), rng.integers(0, 2, 200)
    changed = {"hidden": (64,), "epochs": 300, "learning_rate": 0.01}

    whole = fitted(noise, **changed)
    stopped = fitted(noise, early_stopping=True, patience=3, **changed)

    assert whole.n_iter_ == 300
    assert whole.score(*noise) > 0.95  # learnt by heart
    assert 3 < stopped.n_iter_ < 50
    assert stopped.score(*noise) < 0.8


def test_early_stopping_needs_two_rows_of_each_class(iris):
    X, y = iris

    with pytest.raises(ValueError, match="only 1 member"):
        fitted((X[49:], y[49:]), early_stopping=True)


def test_a_loss_that_is_not_finite_is_a_value_error_and_leaves_nothing_fitted(iris):
    X, y = iris
    classifier = NeuralNetClassifier(optimizer="sgd", **SMALL)

    with (
        np.errstate(all="ignore"),
        pytest.raises(ValueError, match=r"After 0 whole epochs .* Scale the features"),
    ):
        classifier.fit(X * 1e200, y)

    with pytest.raises(NotFittedError):
        classifier.predict(X)


def test_weights_of_rows_are_not_taken(iris):
    X, y = iris

    with pytest.raises(TypeError, match="sample_weight"):
        NeuralNetClassifier().fit(X, y, sample_weight=np.ones(len(y)))


def test_what_joblib_brings_back_is_whole_and_was_no_larger_than_its_parameters(iris, tmp_path):
    classifier, file = fitted(iris, hidden=(100, 100)), tmp_path / "classifier.joblib"

    joblib.dump(classifier, file)
    loaded = joblib.load(file)

    assert file.stat().st_size < 1.1 * classifier.network_.params.nbytes
    np.testing.assert_array_equal(loaded.predict_proba(iris[0]), classifier.predict_proba(iris[0]))
    loaded.network_.params[...] = 0
    np.testing.assert_allclose(loaded.predict_proba(iris[0]), 1 / 3)
