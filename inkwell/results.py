"""What the service answers, as objects that draw themselves in a notebook."""

from collections.abc import Iterator, Sequence
from html import escape
from typing import Any, NamedTuple, overload

Answer = dict[str, Any]

BAR = "display:inline-block;height:.7em;border-radius:3px;background:#2f50d8"


class Prediction(NamedTuple):
    """What a version says of one image."""

    label: str
    probability: float
    probabilities: list[float]


class Predictions(Sequence[Prediction]):
    """What a version says of a batch: a sequence of Prediction."""

    def __init__(self, answer: Answer) -> None:
        self.model: str = answer["model"]
        self.version: int = answer["version"]
        self.labels: list[str] = answer["labels"]
        self.answer = answer
        self._rows = [
            Prediction(row["label"], row["probability"], row["probabilities"])
            for row in answer["predictions"]
        ]

    @overload
    def __getitem__(self, where: int) -> Prediction: ...

    @overload
    def __getitem__(self, where: slice) -> list[Prediction]: ...

    def __getitem__(self, where: int | slice) -> Prediction | list[Prediction]:
        return self._rows[where]

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Prediction]:
        return iter(self._rows)

    def __repr__(self) -> str:
        read = " ".join(row.label for row in self._rows[:20])
        more = " …" if len(self) > 20 else ""
        return f"<{len(self)} predictions by {self.model} version {self.version}: {read}{more}>"

    def _repr_html_(self) -> str:
        rows = [
            f"<tr><td>{i}</td><td><b>{escape(row.label)}</b></td><td>"
            f'<span style="{BAR};width:{100 * row.probability:.0f}px"></span> '
            f"{row.probability:.2%}</td></tr>"
            for i, row in enumerate(self._rows[:20])
        ]
        return f"<table>{''.join(rows)}</table>{escape(repr(self))}"


class Version(NamedTuple):
    """A version of a model: its manifest, and the most asked-for of it."""

    model: str
    version: int
    test_accuracy: float | None
    manifest: Answer

    @classmethod
    def of(cls, answer: Answer) -> "Version":
        """Build from what the service answers."""
        accuracy = answer["metrics"].get("test_accuracy")
        return cls(answer["model"], answer["version"], accuracy, answer)

    def _repr_html_(self) -> str:
        facts = {
            "accuracy": "?" if self.test_accuracy is None else f"{self.test_accuracy:.2%}",
            "data": self.manifest["dataset"]["name"],
            "aliases": ", ".join(self.manifest["aliases"]),
            "made": self.manifest["created_at"],
        }
        rows = [
            f"<tr><th>{name}</th><td>{escape(str(fact))}</td></tr>" for name, fact in facts.items()
        ]
        return f"<b>{escape(self.model)} version {self.version}</b><table>{''.join(rows)}</table>"


def curve(history: list[Answer], key: str = "validation_accuracy") -> str:
    """Return how a value went over the epochs, as SVG; nothing where there are not two."""
    values = [line[key] for line in history if line.get(key) is not None]
    if len(values) < 2:
        return ""
    low, high = min(values), max(values)
    points = " ".join(
        f"{300 * i / (len(values) - 1):.1f},{60 - 50 * (value - low) / (high - low or 1):.1f}"
        for i, value in enumerate(values)
    )
    return (
        '<svg width="310" height="70" role="img"><polyline fill="none" stroke="#2f50d8" '
        f'stroke-width="2" points="{points}"/></svg>'
    )
