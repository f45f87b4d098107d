"""The progress bar of a training job."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, Progress, TextColumn

from inkwell.client import Answer
from inkwell.tables import console, errors
from inkwell.watching import epoch_line, epochs

UNFINISHED = frozenset({"queued", "scheduled", "deferred", "started"})  # statuses of a trial


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


@contextmanager
def sweep_bar() -> Iterator[Callable[[Answer], None]]:
    """Draw a bar on the terminal's stderr; yield what brings it up to date with a sweep."""
    with Progress(console=errors()) as bar:
        task = bar.add_task("waiting", total=None)

        def show(sweep: Answer) -> None:
            trials = sweep["trials"]
            ended = sum(trial["status"] not in UNFINISHED for trial in trials)
            done = f"{sweep['status']}, {ended} of {len(trials)} trials ended"
            bar.update(task, description=done, completed=ended, total=len(trials) or None)

        yield show


@contextmanager
def busy_bar(what: str) -> Iterator[None]:
    """Draw a bar on the terminal's stderr while something takes nobody knows how long."""
    with Progress(console=errors(), transient=True) as bar:
        bar.add_task(what, total=None)
        yield


@contextmanager
def waiting_bar(what: str, seconds: float) -> Iterator[None]:
    """Draw a bar on the terminal's stderr while something takes about so many seconds."""
    with Progress(console=errors(), transient=True) as bar:
        task = bar.add_task(what, total=seconds)
        done = threading.Event()

        def move() -> None:
            while not done.wait(0.1):
                bar.advance(task, 0.1)

        mover = threading.Thread(target=move)
        mover.start()
        try:
            yield
        finally:
            done.set()
            mover.join()


@contextmanager
def counting_bar(what: str, total: int) -> Iterator[Callable[[], None]]:
    """Draw a bar on the terminal's stderr; yield what moves it on by one."""
    with Progress(console=errors(), transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda: bar.advance(task)


def _time_left(seconds: float | None) -> str:
    if seconds is None:
        return ""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d} left"
