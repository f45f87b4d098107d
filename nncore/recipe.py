"""A recipe: how a network is trained, whatever it is and whatever on."""

from dataclasses import dataclass

from nncore.augmentation import Augmentation
from nncore.losses import Loss, SoftmaxCrossEntropy
from nncore.optimizers import Adam, Optimizer
from nncore.schedules import Cosine, Schedule
from nncore.specs import require_number, run_checks

MAX_EPOCHS = 100_000
DEFAULT_LOSS = SoftmaxCrossEntropy()
DEFAULT_OPTIMIZER = Adam()
DEFAULT_SCHEDULE = Cosine()


@dataclass(frozen=True)
class EarlyStopping:
    """Stop where the validation loss has not fallen for `patience` epochs; keep the best weights.

    Source: Prechelt 1998, "Early Stopping - but when?", the third class of criteria.
    """

    patience: int = 3

    def __post_init__(self) -> None:
        require_number("patience", self.patience, at_least=1, at_most=100_000)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a network is trained.

    Parameters
    ----------
    loss, optimizer, schedule
        What is minimised, by which steps, and how their size changes.
    epochs : int
    batch_size : int or None
        None: all rows at once.
    augment : Augmentation or None
        How the pictures of a batch are changed at random.
    l2 : float
        Added to the gradients of the weights, not of biases: `l2` times the weights.
    clip_norm : float or None
        The largest norm of all gradients together; longer ones are scaled down to it. Source:
        Pascanu, Mikolov & Bengio 2013, algorithm 1.
    average : float or None
        Decay of the weights' exponential moving average, which is then what is measured and
        kept, 0 < decay < 1. Source: Polyak & Juditsky 1992.
    early_stopping : EarlyStopping or None
    """

    loss: Loss = DEFAULT_LOSS
    optimizer: Optimizer = DEFAULT_OPTIMIZER
    schedule: Schedule = DEFAULT_SCHEDULE
    epochs: int = 10
    batch_size: int | None = 64
    augment: Augmentation | None = None
    l2: float = 0.0
    clip_norm: float | None = None
    average: float | None = None
    early_stopping: EarlyStopping | None = None

    def __post_init__(self) -> None:
        run_checks(self._check_counts, self._check_regularization)

    def _check_counts(self) -> None:
        require_number("epochs", self.epochs, at_least=1, at_most=MAX_EPOCHS)
        if self.batch_size is not None:
            require_number("batch_size", self.batch_size, at_least=1, at_most=100_000)

    def _check_regularization(self) -> None:
        require_number("l2", self.l2, at_least=0)
        if self.clip_norm is not None:
            require_number("clip_norm", self.clip_norm, above=0)
        if self.average is not None:
            require_number("average", self.average, above=0, below=1)
