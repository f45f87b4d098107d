"""`inkwell bench`: how many pictures a second a running service answers for."""

import statistics
import threading
import time
from typing import NamedTuple

import click

from inkwell.client import Client
from inkwell.errors import InkwellError
from inkwell.progress import waiting_bar
from inkwell.settings import Settings
from inkwell.tables import as_json, print_json, print_table

PIXELS = 784
OCTETS = "application/octet-stream"


class Measured(NamedTuple):
    """What a run of one size of batch brought; times in milliseconds."""

    batch: int
    requests_per_second: float
    images_per_second: float
    median_ms: float
    p95_ms: float


@click.command(short_help="Measure a running service.")
@click.option("--batch", "batches", type=click.IntRange(1), multiple=True, default=(1, 64))
@click.option("--connections", type=click.IntRange(1, 64), default=8, show_default=True)
@click.option("--seconds", type=click.FloatRange(0.1, 60), default=3.0, show_default=True)
@click.option("--model", help="Model to ask.  [default: INKWELL_MODEL]")
@as_json
@click.pass_obj
def bench(
    settings: Settings,
    batches: tuple[int, ...],
    connections: int,
    seconds: float,
    model: str | None,
    as_json: bool,
) -> None:
    """Ask a running service without pause, and print how it keeps up.

    The client takes its share of this machine's cores: another machine's numbers are fairer.
    """
    measured = []
    for batch in batches:
        with waiting_bar(f"batches of {batch}", seconds):
            measured.append(_ask(settings, model or settings.model, batch, connections, seconds))
    if as_json:
        print_json([one._asdict() for one in measured])
        return
    print_table(
        ["rows a request", "requests/s", "images/s", "median ms", "p95 ms"],
        (
            (m.batch, *(f"{number:,.0f}" for number in m[1:3]), *(f"{ms:.1f}" for ms in m[3:]))
            for m in measured
        ),
        empty="Nothing was measured.",
    )


def _ask(settings: Settings, model: str, batch: int, connections: int, seconds: float) -> Measured:
    """Ask through so many connections at once for so long. Raises InkwellError."""
    body, times, errors = bytes(PIXELS * batch), list[float](), list[InkwellError]()
    together = threading.Barrier(connections + 1)

    def ask() -> None:
        with Client.from_settings(settings) as client:
            together.wait()
            until = time.perf_counter() + seconds
            while not errors:
                started = time.perf_counter()
                try:
                    client.post_pixels(body, OCTETS, model=model)
                except InkwellError as error:
                    errors.append(error)
                    return
                ended = time.perf_counter()
                times.append(1000 * (ended - started))
                if ended >= until:
                    return

    threads = [threading.Thread(target=ask) for _ in range(connections)]
    for thread in threads:
        thread.start()
    together.wait()
    began = time.perf_counter()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    rate = len(times) / (time.perf_counter() - began)
    p95 = statistics.quantiles(times, n=20)[-1] if len(times) > 1 else times[0]
    return Measured(batch, rate, rate * batch, statistics.median(times), p95)
