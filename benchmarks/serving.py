"""The leaderboard of serving: ``make bench-serving``.

Ours beside other model servers on the same work (a network 784-128-64-10, MNIST's test images), in
one run of the harness that starts and measures them all: a folder with ``bench.py``, by default
``../shared/bench/serving``. Its README tells how to install the servers, and how to read the
numbers; ``VENVS`` is where they were put, ``LAB`` a folder for their files. A run may be taken in
pieces, a file each; ``--show`` prints the leaderboard of all of them.

    export VENVS=/tmp/venvs LAB=/tmp/lab
    python -m benchmarks.serving --group ours --group peer --save first.json
    python -m benchmarks.serving inkwell fastapi-tuned "mlserver in-process" --save second.json
    python -m benchmarks.serving --show first.json second.json
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import machine
from nncore.layers import Dense, ReLU
from nncore.losses import SoftmaxCrossEntropy
from nncore.manifest import Manifest, TrainedOn, libraries, now
from nncore.network import Network
from nncore.registry import Registry
from nncore.scaling import PixelScaler

ROOT = Path(__file__).parents[1]
HARNESS = ROOT.parent / "shared/bench/serving"
ADDRESS = "/api/v1/predict"
OCTETS = "application/octet-stream"
GUNICORN = (
    f"{sys.executable} -m gunicorn --chdir {ROOT} -c {ROOT}/service/gunicorn.conf.py"
    " service.wsgi:app"
)
# For comparison; docs/performance.md says why it is not offered. `pip install granian` first.
GRANIAN = (
    f"{sys.executable} -m granian --interface wsgi --workers 2 --blocking-threads 8"
    f" --working-dir {ROOT} --host 127.0.0.1 --port {{port}} service.wsgi:app"
)
OURS: dict[str, tuple[str, dict[str, str]]] = {
    "inkwell": (GUNICORN, {}),
    "inkwell through Flask": (GUNICORN, {"INKWELL_FAST_PATH": "off"}),
    "inkwell on granian": (GRANIAN, {}),
}
BY_HAND = "fastapi-tuned"
DISTURBED = 0.1  # of the cores, that other programs had: such a load tells little
LAYERS = (Dense(128), ReLU(), Dense(64), ReLU(), Dense(10))

Rounds = list[dict[str, Any]]  # of one server, as the harness saves them


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--harness", type=Path, default=HARNESS)
    parser.add_argument("--show", nargs="+", metavar="FILE", help="only print saved results")
    options, rest = parser.parse_known_args()
    if options.show:
        return print(leaderboard([json.loads(Path(name).read_text()) for name in options.show]))
    if not (options.harness / "bench.py").is_file():
        sys.exit(f"There is no harness in {options.harness}: name its folder with --harness.")
    images = os.environ.get("INKWELL_MNIST_DIR")
    if images:
        os.environ.setdefault("MNIST_TEST_IMAGES", f"{images}/t10k-images-idx3-ubyte.gz")
    sys.path.insert(0, str(options.harness))
    with tempfile.TemporaryDirectory() as store:
        run(Path(store), rest)


def run(store: Path, arguments: list[str]) -> None:
    """Let the harness run with `arguments`, with ours among its servers."""
    import bench
    import net
    import peers

    publish(store, net.layers())
    peers.ALL += [peer(peers, store, name, *how) for name, how in OURS.items()]
    bench.report = lambda results, cases, _: leaderboard([{"results": results, "cases": cases}])
    sys.argv = ["bench", "--save", str(store / "result.json"), *arguments]
    bench.main()


def peer(peers: Any, store: Path, name: str, start: str, environ: dict[str, str]) -> Any:
    """Return one of our ways to serve, as a server of the harness."""
    settings = {
        "INKWELL_STORE": str(store),
        "INKWELL_PORT": "{port}",
        "INKWELL_WEB_WORKERS": "2",
        "INKWELL_ADMIN_TOKEN": "benchmark",
    }
    return peers.Peer(
        name,
        start,
        json=peers.Route(ADDRESS, peers.rows(), read_answer),
        raw=peers.Route(ADDRESS, bytes, read_answer, OCTETS),
        env=settings | environ,
        group="ours",
    )


def publish(store: Path, weights: list[Any]) -> None:
    """Make the harness's network the live version of `store`."""
    network = Network(LAYERS, (784,))
    named = [
        {f"{2 * i}.weight": weight.T, f"{2 * i}.bias": bias}
        for i, (weight, bias) in enumerate(weights)
    ]
    network.from_tensors({name: array for layer in named for name, array in layer.items()})
    manifest = Manifest(
        model="digits",
        layers=LAYERS,
        input_shape=(784,),
        pixel_scaling=PixelScaler(),
        loss=SoftmaxCrossEntropy(),
        labels=tuple("0123456789"),
        config={},
        seed=0,
        dataset=TrainedOn("none", "", 0, 0),
        metrics={},
        history=[],
        parent=None,
        job_id=None,
        libraries=libraries(),
        created_at=now(),
    )
    registry = Registry(store)
    registry.promote("digits", registry.publish("digits", network, manifest), reason="benchmark")


def read_answer(answer: bytes) -> tuple[Any, Any]:
    """Return the classes and probabilities of an answer, which the harness checks."""
    rows = json.loads(answer)["predictions"]
    classes = np.array([int(row["label"]) for row in rows])
    return classes, np.array([row["probabilities"] for row in rows])


def leaderboard(saved: list[dict[str, Any]]) -> str:
    """Return the tables of one run or of its parts: medians of the rounds of all."""
    cases = saved[0]["cases"]
    results: dict[str, Rounds] = {}
    for part in saved:
        for name, rounds in part["results"].items():
            results.setdefault(name, []).extend(rounds)
    head = "| | " + " | ".join(cases)
    line = "| --- |" + " ---: |" * len(cases)
    lines = [f"{head} | memory, cold start |", f"{line} ---: |"]
    for name, rounds in results.items():
        cells = [
            f"{show(value(rounds, case, 'c8', 'rps'), '{:,.0f}')} · "
            f"{show(value(rounds, case, 'c8', 'server_cpu_ms'), '{:.3g}')} ms"
            for case in cases
        ]
        memory = show(middle([r["memory"]["pss"] for r in rounds if "memory" in r]), "{:.0f} MB")
        cold = show(middle([r["cold"] for r in rounds if "cold" in r]), "{:.1f} s")
        lines.append(f"| {name} | {' | '.join(cells)} | {memory}, {cold} |")
    lines += ["", f"{head} |", line]
    for title, load, key, rivals in comparisons(results):
        cells = [show(ratio(results, case, load, key, rivals), "{:.2f}") + " x" for case in cases]
        lines.append(f"| {title} | {' | '.join(cells)} |")
    counts = sorted({len(rounds) for rounds in results.values()})
    rounds = " to ".join(str(n) for n in {counts[0], counts[-1]})
    return "\n".join([*lines, "", f"`make bench-serving`, {rounds} rounds, {machine()}"])


def comparisons(results: dict[str, Rounds]) -> list[tuple[str, str, str, list[str]]]:
    """Return what is compared: a title, the load, the figure, the servers ours is held against."""
    packaged = [name for name in results if name not in OURS and name != BY_HAND]
    return [
        ("CPU: best packaged / ours", "c8", "server_cpu_ms", packaged),
        ("CPU: by hand / ours", "c8", "server_cpu_ms", [BY_HAND]),
        ("requests/s: ours / best packaged", "c8", "rps", packaged),
        ("p99, one connection: best packaged / ours", "c1", "p99", packaged),
    ]


def ratio(
    results: dict[str, Rounds], case: str, load: str, key: str, rivals: list[str]
) -> float | None:
    """Return how many times better ours is than the best of `rivals`."""
    ours = value(results.get("inkwell", []), case, load, key)
    theirs = [value(results[name], case, load, key) for name in rivals if name in results]
    known = [figure for figure in theirs if figure]
    if not ours or not known:
        return None
    return ours / max(known) if key == "rps" else min(known) / ours


def value(rounds: Rounds, case: str, load: str, key: str) -> float | None:
    """Return the median of a figure over the rounds, None where a server does not do the case.

    Loads that other programs disturbed are left out, where there are others.
    """
    loads = [r["cases"][case][load] for r in rounds if case in r["cases"]]
    calm = [one for one in loads if one["other_cpu"] < DISTURBED]
    return middle([one[key] for one in calm or loads])


def middle(values: list[float]) -> float | None:
    return statistics.median(values) if values else None


def show(figure: float | None, form: str) -> str:
    return "-" if figure is None else form.format(figure)


if __name__ == "__main__":
    main()
