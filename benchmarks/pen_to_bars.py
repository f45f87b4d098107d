"""From the pen to the moved bars: ``make bench-pen``, measured in Chromium by the page itself.

The page Try notes for each answer how long it took from the event of the pen that asked for it
until the bars were painted; this draws with the mouse as a hand would, and prints how they lie.
"""

import shutil
import statistics
import sys
import time

from playwright.sync_api import Page, sync_playwright

from benchmarks.headline import running_system
from benchmarks.machine import machine

STROKES = 60
POINTS = 12  # a stroke
SECONDS = 0.012  # between two moves of the hand
# What a frame takes in which nothing is asked: the browser's share, and that of the machine's load.
FRAME = """() => new Promise((resolve) => {
    const at = performance.now();
    requestAnimationFrame(() => setTimeout(() => resolve(performance.now() - at)));
})"""


def main() -> None:
    program = shutil.which("chromium") or sys.exit("Chromium is missing: apt-get install chromium")
    with running_system() as port, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        page = browser.new_page()
        page.goto(f"http://127.0.0.1:{port}/")
        page.wait_for_selector("#version option", state="attached")
        downs, answers = draw(page)
        frames = [page.evaluate(FRAME) for _ in range(STROKES)]
        browser.close()
    print("| from | median | p95 | most | answers |\n| --- | --- | --- | --- | --- |")
    rows = {"pen down": downs, "any move of the pen": answers, "nothing: a frame alone": frames}
    for name, times in rows.items():
        p95 = statistics.quantiles(times, n=20)[-1]
        middle, most = statistics.median(times), max(times)
        print(f"| {name} | {middle:.1f} ms | {p95:.1f} ms | {most:.1f} ms | {len(times)} |")
    print(f"\n`make bench-pen`, {machine()}")


def draw(page: Page) -> tuple[list[float], list[float]]:
    """Return how long the answers to the beginnings of strokes took, and all answers; ms."""
    downs, answers = [], []
    box = page.locator("#pad").bounding_box()
    assert box  # noqa: S101 - the pad is there
    for stroke in range(STROKES):
        if stroke % 3 == 0:
            page.click("#clear")
            page.evaluate("() => performance.clearMeasures()")
        x = box["x"] + box["width"] * (0.3 + 0.2 * (stroke % 3))
        page.mouse.move(x, box["y"] + 0.2 * box["height"])
        page.mouse.down()
        page.wait_for_function("() => performance.getEntriesByName('pen to bars').length")
        downs += measures(page)[:1]
        for point in range(POINTS):
            time.sleep(SECONDS)
            page.mouse.move(x, box["y"] + box["height"] * (0.2 + 0.6 * point / POINTS))
        page.mouse.up()
        page.wait_for_timeout(150)
        answers += measures(page)
        page.evaluate("() => performance.clearMeasures()")
    return downs, answers


def measures(page: Page) -> list[float]:
    return list(
        page.evaluate(
            "() => performance.getEntriesByName('pen to bars').map((entry) => entry.duration)"
        )
    )


if __name__ == "__main__":
    main()
