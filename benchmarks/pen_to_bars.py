"""From the pen to the moved bars: ``make bench-pen``, measured in Chromium by the page itself.

The page Try notes for each answer how long it took from the event of the pen that asked for it
until the bars were painted; this draws with the mouse as a hand would, and prints how they lie,
with the network that ``make up`` trains and with the one that photographs are read with.
"""

import json
import shutil
import statistics
import sys
import time
from typing import Any

from playwright.sync_api import Page, sync_playwright

from benchmarks.headline import call, running_system
from benchmarks.machine import machine

# Beside the first model: the network of `serving`, on few data, for how fast it answers is alike.
SERVING = {"model": "digits", "preset": "serving", "dataset": "digits", "epochs": 1}
STROKES = 60
POINTS = 12  # a stroke
SECONDS = 0.012  # between two moves of the hand
# Gathers what the page measures, with the request that belongs to it: the last one that had ended.
GATHER = """
window.taken = [];
const ended = [];
new PerformanceObserver((list) => {
    for (const { name, startTime, responseEnd } of list.getEntries())
        if (name.includes('outputs=label,probability')) ended.push([startTime, responseEnd]);
}).observe({ type: 'resource' });
new PerformanceObserver((list) => {
    for (const { startTime: start, duration } of list.getEntries()) {
        const until = start + duration;
        const [asked, answered] = ended.findLast((request) => request[1] <= until);
        window.taken.push([duration, asked - start, answered - asked, until - answered]);
    }
}).observe({ type: 'measure' });
"""
STEPS = ("", ": until it is asked", ": until it is answered", ": until that is painted")
# What a frame takes in which nothing is asked: the browser's share, and that of the machine's load.
FRAME = """() => new Promise((resolve) => {
    const at = performance.now();
    requestAnimationFrame(() => setTimeout(() => resolve(performance.now() - at)));
})"""


def main() -> None:
    program = shutil.which("chromium") or sys.exit("Chromium is missing: apt-get install chromium")
    print("| network | from | median | p95 | most | answers |")
    print("| --- | --- | --- | --- | --- | --- |")
    with running_system() as port, sync_playwright() as playwright:
        for network in ("first", "serving"):
            if network == "serving":
                go_live(port)
            browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
            page = browser.new_page()
            page.add_init_script(GATHER)
            page.goto(f"http://127.0.0.1:{port}/")
            page.wait_for_selector("#version option", state="attached")
            downs, moves = draw(page)
            report(f"`{network}`", "pen down", downs)
            report(f"`{network}`", "any move of the pen", moves)
            if network == "serving":
                frames = [[page.evaluate(FRAME)] for _ in range(STROKES)]
                report("none", "nothing: a frame alone", frames)
            browser.close()
    print(f"\n`make bench-pen`, {machine()}")


def go_live(port: int) -> None:
    """Train the network of `serving`, and let it answer."""
    body = json.dumps(SERVING | {"promote": "always"}).encode()
    job = call(port, "POST", "/api/v1/jobs", body, "application/json")
    while job["status"] in ("queued", "started"):
        time.sleep(0.3)
        job = call(port, "GET", f"/api/v1/jobs/{job['id']}")
    if job["status"] != "finished":
        sys.exit(f"The job {job['status']}: {job['error']}")


def draw(page: Page) -> tuple[list[Any], list[Any]]:
    """Return how long the answers to the beginnings of strokes took, and to all moves; ms.

    Each is the whole time, then its parts.
    """
    downs, moves = [], []
    box = page.locator("#pad").bounding_box()
    assert box  # noqa: S101 - the pad is there
    for stroke in range(STROKES):
        if stroke % 3 == 0:
            page.click("#clear")
        page.evaluate("() => { window.taken = [] }")
        x = box["x"] + box["width"] * (0.3 + 0.2 * (stroke % 3))
        page.mouse.move(x, box["y"] + 0.2 * box["height"])
        page.mouse.down()
        page.wait_for_function("() => window.taken.length")
        downs += page.evaluate("() => window.taken")[:1]
        for point in range(POINTS):
            time.sleep(SECONDS)
            page.mouse.move(x, box["y"] + box["height"] * (0.2 + 0.6 * point / POINTS))
        page.mouse.up()
        page.wait_for_timeout(150)
        moves += page.evaluate("() => window.taken")
    return downs, moves


def report(network: str, what: str, times: list[Any]) -> None:
    """Print a row for the whole time and one for each of its parts."""
    for step, row in zip(STEPS, zip(*times, strict=True), strict=False):
        p95 = statistics.quantiles(row, n=20)[-1]
        middle, most = statistics.median(row), max(row)
        cells = (f"{middle:.1f} ms", f"{p95:.1f} ms", f"{most:.1f} ms", str(len(row)))
        print(f"| {network} | {what}{step} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
