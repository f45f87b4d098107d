"""A picture of each page in light and dark, wide and narrow: ``make screenshots``.

Starts the whole system on free ports, trains what there is to see, and writes into var/screenshots.
"""

import shutil
import sys
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks.headline import TOKEN, running_system
from tests.browser.drawing import draw

FOLDER = Path("var/screenshots")
SIZES = {"wide": {"width": 1280, "height": 860}, "narrow": {"width": 390, "height": 844}}
PAGES = {
    "try-empty": ("/", "#bars li"),
    "try": ("/", "#bars li"),
    "jobs": ("/jobs", "#rows tr"),
    "job": ("/jobs/{job}", "#loss svg"),
    "sweep": ("/sweeps/{sweep}", "#outcome a"),
    "models": ("/models", "#models a"),
    "model": ("/models/digits", "#versions tr"),
    "version": ("/models/digits/versions/live", "#mistakes figure"),
    "comparison": ("/models/digits/versions/live", "#mistakes figure"),
    "system": ("/system", "#workers a, #workers td"),
}


def main() -> None:
    program = shutil.which("chromium") or sys.exit("Chromium is missing: apt-get install chromium")
    FOLDER.mkdir(parents=True, exist_ok=True)
    with running_system() as port, sync_playwright() as playwright:
        url = f"http://127.0.0.1:{port}"
        ids = train(url)
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        for size in SIZES:
            for scheme in ("light", "dark"):
                for name in PAGES:
                    shoot(browser, url, ids, name, size, scheme)
        browser.close()
    print(f"{len(list(FOLDER.glob('*.png')))} pictures in {FOLDER}")


def train(url: str) -> dict[str, str]:
    """Train a few versions and a sweep; return the ids of the job whose version is live, and of it.

    The sweep goes on while the first pictures are made.
    """
    headers = {"Authorization": f"Bearer {TOKEN}"}
    with httpx.Client(base_url=url, headers=headers, timeout=60) as client:
        for config in ({"epochs": 4, "seed": 3}, {"epochs": 40, "seed": 5, "promote": "always"}):
            body: dict[str, Any] = {"model": "digits", "dataset": "digits"} | config
            job = client.post("/api/v1/jobs", json=body).json()["id"]
            with client.stream("GET", f"/api/v1/jobs/{job}/events") as events:
                for _ in events.iter_lines():
                    pass
        space = {"batch_size": [32, 64], "optimizer.learning_rate": [0.001, 0.01]}
        base = {"model": "digits", "dataset": "digits", "epochs": 6}
        sweep = client.post("/api/v1/sweeps", json={"base": base, "grid": space}).json()["id"]
    return {"job": job, "sweep": sweep}


def shoot(
    browser: Browser, url: str, ids: dict[str, str], name: str, size: str, scheme: str
) -> None:
    """Open a page anew and write a picture of the whole of it."""
    path, there = PAGES[name]
    context = browser.new_context(viewport=SIZES[size], color_scheme=scheme)
    context.add_init_script(f"sessionStorage.setItem('inkwell-token', '{TOKEN}')")
    page = context.new_page()
    page.goto(url + path.format(**ids))
    page.wait_for_selector(there, timeout=120_000)
    if name == "try":
        _draw(page)
    if name == "comparison":
        page.select_option("#other", "1")
        page.wait_for_selector("#classes tr")
    page.wait_for_timeout(600)
    page.screenshot(path=FOLDER / f"{name}-{size}-{scheme}.png", full_page=True)
    context.close()


def _draw(page: Page) -> None:
    page.select_option("#other", "2")
    draw(page, "3")
    page.wait_for_selector("#correct:visible")


if __name__ == "__main__":
    main()
