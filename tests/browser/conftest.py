"""A real Chromium in front of the real stack; where either is missing, the tests skip."""

import contextlib
import shutil

import pytest

from tests.stack import Stack

WIDE, PHONE = {"width": 1280, "height": 860}, {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    """Redis, worker and service with versions 1 (live) and 2 of `digits`."""
    running = Stack(tmp_path_factory.mktemp("stack"))
    try:
        running.start()
        running.train(epochs=20)
        running.train(epochs=3, promote="never")
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="module")
def empty_stack(tmp_path_factory):
    """The same with nothing in it, and nobody who trains."""
    running = Stack(tmp_path_factory.mktemp("empty"))
    try:
        running.start_redis()
        running.start_service()
        yield running
    finally:
        running.stop()


# Playwright keeps an event loop running in this thread, which other files' tests do not expect.
@pytest.fixture(scope="module")
def launch():
    """Starts Chromium, or skips and says what is missing."""
    sync_api = pytest.importorskip(
        "playwright.sync_api", reason="Playwright is not there: make browser"
    )
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("Chromium is not there: apt-get install chromium")
    with contextlib.ExitStack() as stack:
        playwright = stack.enter_context(sync_api.sync_playwright())

        def start(*arguments):
            # No sandbox: tests run as root in containers, and open our own pages alone.
            browser = playwright.chromium.launch(
                executable_path=program, args=["--no-sandbox", *arguments]
            )
            stack.callback(browser.close)
            return browser

        yield start


@pytest.fixture(scope="module")
def browser(launch):
    return launch()


@pytest.fixture
def open_page(browser):
    """Opens pages in contexts of their own, and holds their consoles free of errors."""
    contexts, errors = [], []

    def open_one(url, browser=browser, **options):
        context = browser.new_context(**{"viewport": WIDE, "reduced_motion": "reduce"} | options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(180_000)  # a machine that is busy with other tests is slow
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda message: errors.extend(complaint(message)))
        page.goto(url)
        return page

    yield open_one
    for context in contexts:
        context.close()
    assert not errors


def complaint(message):
    # That an address answered 404, or nobody did, where a test wants that, is the browser's note.
    failed = "Failed to load resource: "
    refused = message.text.startswith(
        (f"{failed}the server responded with a status of 4", f"{failed}net::ERR_CONNECTION_")
    )
    # That a canvas is read again and again is about the tests, which look at what is painted.
    ours = "willReadFrequently" in message.text
    return [message.text] if message.type in ("error", "warning") and not (refused or ours) else []
