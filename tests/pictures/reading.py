"""What a network sees of test pictures, and how many of them it reads right."""

import time
from typing import NamedTuple

import numpy as np

from service.picture_files import open_picture
from service.pictures import read_picture
from service.problems import Problem


class Seen(NamedTuple):
    """Pictures as networks see them, and the digits on their own: uint8 (n, 784) each.

    `labels` int64 (n,), the traits of each, and how many seconds of a core reading it took.
    """

    pictures: np.ndarray
    clean: np.ndarray
    labels: np.ndarray
    traits: list[tuple[str, ...]]
    seconds: np.ndarray

    def right(self, classifier):
        """Return which pictures a classifier reads right, and which of the digits on their own."""
        return tuple(
            classifier.predict(seen) == self.labels for seen in (self.pictures, self.clean)
        )


def see(photographs):
    """Read pictures as the service does; one in which no digit is seen is an empty one."""
    photographs = list(photographs)
    pictures, seconds = [], []
    for photograph in photographs:
        start = time.process_time()
        try:
            pictures.append(read_picture(open_picture(photograph.content)).pixels.reshape(-1))
        except Problem:
            pictures.append(np.zeros(784, np.uint8))
        seconds.append(time.process_time() - start)
    return Seen(
        np.stack(pictures),
        np.stack([photograph.clean.reshape(-1) for photograph in photographs]),
        np.array([photograph.label for photograph in photographs]),
        [photograph.traits for photograph in photographs],
        np.array(seconds),
    )
