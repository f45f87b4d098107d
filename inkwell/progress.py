"""The progress bar of a training job."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, Progress, TextColumn

from inkwell.client import Answer
from inkwell.tables import console
from inkwell.watching import epoch_line, epochs


@contextmanager
def progress_bar() -> Iterator[Callable[[Answer], None]]:
    """Draw a bar on the terminal; yield what brings it up to date with a job."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[time_left]}"),
    )
    with Progress(*columns, console=console()) as bar:
        task = bar.add_task("queued", total=1.0, time_left="")

        def show(job: Answer) -> None:
            progress, history = job.get("progress") or {}, job.get("history") or []
            bar.update(
                task,
                description=epoch_line(history[-1], epochs(job)) if history else job["status"],
                completed=progress.get("fraction") or 0.0,
                time_left=_time_left(progress.get("eta_seconds")),
            )

        yield show


def _time_left(seconds: float | None) -> str:
    if seconds is None:
        return ""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d} left"
