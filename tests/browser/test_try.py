"""The page Try, as a person uses it: pen, finger, keys, pictures, camera."""

import base64
import io
import re
import signal

import numpy as np
import pytest
from PIL import Image

from tests.browser.conftest import PHONE
from tests.browser.drawing import DIGITS, draw, on_pad, photograph
from tests.browser.test_jobs_page import give_token
from tests.stack import Stack, wait_for

pytestmark = [pytest.mark.browser, pytest.mark.integration]


@pytest.fixture(scope="module")
def stack(tmp_path_factory, mnist_dir):
    """Version 1 has seen MNIST and is live; version 2 has seen small digits."""
    running = Stack(tmp_path_factory.mktemp("stack"), INKWELL_MNIST_DIR=str(mnist_dir))
    try:
        running.start()
        running.train(dataset="mnist", epochs=3)
        running.train(epochs=10, promote="never")
        yield running
    finally:
        running.stop()


def answer_is(page, digit):
    shown = "d => document.getElementById('digit').textContent === d"
    try:
        page.wait_for_function(shown, arg=digit)
    except Exception as error:  # whose type is Playwright's, which need not be there
        raise AssertionError(f"expected {digit}; shown: {page.inner_text('body')}") from error


def painted(page, canvas):
    """Return how opaque each pixel of a canvas is."""
    return np.array(
        page.evaluate(
            "id => { const c = document.getElementById(id); return [...c.getContext('2d')"
            ".getImageData(0, 0, c.width, c.height).data].filter((_, i) => i % 4 === 3) }",
            canvas,
        )
    )


@pytest.mark.parametrize("digit", DIGITS)
def test_a_digit_drawn_with_the_mouse_is_read(stack, open_page, digit):
    page = open_page(stack.url)

    draw(page, digit)

    answer_is(page, digit)
    assert "version 1" in page.inner_text("#version option:checked")


def test_the_bars_move_while_the_pen_is_down(stack, open_page):
    page = open_page(stack.url)
    (stroke,) = DIGITS["7"]
    start, corner, end = on_pad(page, stroke)

    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move(*corner, steps=5)
    page.wait_for_selector("#bars .best")
    page.mouse.move(*end, steps=20)
    answer_is(page, "7")
    page.mouse.up()

    shares = page.locator("#bars .share").all_inner_texts()
    assert sum(float(share.split()[0]) for share in shares) == pytest.approx(100, abs=1)
    assert page.inner_text("#bars .best > span:first-child") == "7"


def test_the_pixels_that_the_network_sees_and_those_that_decided_are_shown(stack, open_page):
    page = open_page(stack.url)

    draw(page, "3")
    answer_is(page, "3")

    def decided():
        seen, heat = painted(page, "seen").reshape(28, 28), painted(page, "heat")
        framed = seen[:2].max() == seen[-2:].max() == 0  # as MNIST's
        inked = 40 < np.count_nonzero(seen > 128) < 250
        return framed and inked and heat.max() == 255 and not heat[seen.ravel() == 0].any()

    wait_for(decided, what="the pixels that decided")


def test_an_answer_to_a_drawing_that_is_gone_is_dropped(stack, open_page):
    page = open_page(stack.url)
    held = []
    page.route("**/predict?*", lambda route: held.append(route))
    with page.expect_request("**/predict?*"):
        draw(page, "7")
    page.click("#clear")
    (late,) = held  # one at a time

    with page.expect_response("**/predict?*"):
        late.continue_()
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")

    assert page.inner_text("#digit") == "?"
    assert page.inner_text("#sure") == "Nothing drawn yet"


def test_the_bars_do_not_wait_for_what_decided(stack, open_page):
    page = open_page(stack.url)
    held = []
    page.route("**/predict?outputs=*saliency", lambda route: held.append(route))

    draw(page, "7")
    answer_is(page, "7")
    wait_for(lambda: page.wait_for_timeout(10) or held, what="the request for what decided")
    moved, heat = page.locator("#bars .best").count(), painted(page, "heat").max()
    page.unroute("**/predict?outputs=*saliency")  # and those that are held go on
    wait_for(lambda: painted(page, "heat").max() == 255, what="the pixels that decided")

    assert (moved, heat) == (1, 0)


def test_a_drawing_is_read_before_the_versions_are_listed(stack, open_page):
    page = open_page("about:blank")
    page.route("**/versions?limit=*", lambda route: None)  # never answered
    page.goto(stack.url)

    draw(page, "1")

    answer_is(page, "1")


def test_the_versions_are_listed_with_the_first_answer_of_a_service_that_was_away(stack, open_page):
    page = open_page("about:blank")
    held = []
    page.route("**/versions?limit=*", lambda route: held.append(route))
    page.goto(stack.url)
    wait_for(lambda: page.wait_for_timeout(10) or held, what="the request for the versions")
    stack.kill("service", signal.SIGTERM)
    page.unroute("**/versions?limit=*")  # and the one that is held goes on
    page.wait_for_selector("#problem:has-text('The service does not answer')")
    listed = page.locator("#version option").count()
    stack.start_service()

    draw(page, "1")

    answer_is(page, "1")
    page.wait_for_selector("#version option", state="attached")
    assert (listed, page.locator("#version option").count()) == (0, 3)
    assert page.is_hidden("#problem")


def test_the_version_that_spoke_is_named_also_after_another_went_live(stack, open_page):
    page = open_page(stack.url)
    draw(page, "1")
    answer_is(page, "1")

    stack.client.put("/api/v1/models/digits/aliases/live", json={"version": 2}).raise_for_status()
    try:
        page.click("#clear")
        draw(page, "0")
        page.wait_for_selector("#bars .best")
        named = page.inner_text("#version option:checked")
    finally:
        stack.client.post("/api/v1/models/digits/rollback").raise_for_status()

    assert named == "digits version 2, live"


def test_undo_takes_back_a_stroke_and_asks_again(stack, open_page):
    page = open_page(stack.url)
    draw(page, "1")
    answer_is(page, "1")
    page.mouse.move(*on_pad(page, [(0.1, 0.9)])[0])
    page.mouse.down()
    page.mouse.move(*on_pad(page, [(0.9, 0.9)])[0], steps=5)
    page.mouse.up()
    page.wait_for_function("() => document.getElementById('digit').textContent !== '1'")

    page.click("#undo")

    answer_is(page, "1")


def test_two_versions_answer_side_by_side(stack, open_page):
    page = open_page(stack.url)

    page.select_option("#other", "2")
    draw(page, "0")
    answer_is(page, "0")

    said = page.inner_text("#key")
    assert re.fullmatch(r"version 1: 0, [\d.]+\s%\nversion 2: \d, [\d.]+\s%", said)
    assert page.locator("#bars .track span:visible").count() == 20


def test_a_photograph_that_is_dropped_is_read_and_its_digit_marked(stack, open_page):
    page = open_page(stack.url)
    content = base64.b64encode(photograph("4")).decode()

    page.evaluate(
        """content => {
            const bytes = Uint8Array.from(atob(content), (c) => c.charCodeAt(0));
            const dataTransfer = new DataTransfer();
            dataTransfer.items.add(new File([bytes], "four.jpg"));
            document.getElementById("pad").dispatchEvent(
                new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
        }""",
        content,
    )

    answer_is(page, "4")
    wait_for(lambda: painted(page, "seen").any(), what="the picture that the network sees")


def test_a_picture_is_pasted(stack, open_page):
    page = open_page(stack.url)
    content = base64.b64encode(photograph("6")).decode()
    page.wait_for_load_state("networkidle")  # it has asked which versions there are, and listens

    page.evaluate(
        """content => {
            const bytes = Uint8Array.from(atob(content), (c) => c.charCodeAt(0));
            const clipboardData = new DataTransfer();
            clipboardData.items.add(new File([bytes], "six.jpg", { type: "image/jpeg" }));
            dispatchEvent(new ClipboardEvent("paste", { clipboardData }));
        }""",
        content,
    )

    answer_is(page, "6")


def test_many_pictures_are_read_at_once(stack, open_page):
    page = open_page(stack.url)
    files = [
        {"name": f"{digit}.jpg", "mimeType": "image/jpeg", "buffer": photograph(digit)}
        for digit in "47"
    ]

    page.set_input_files("#file", files)

    page.wait_for_selector("#many figure")
    assert page.locator("#many strong").all_inner_texts() == ["4", "7"]
    assert page.locator("#many figcaption").all_inner_texts() == ["4.jpg", "7.jpg"]


def test_of_many_pictures_those_that_cannot_be_read_are_named_beside_the_others(stack, open_page):
    page = open_page(stack.url)
    files = [
        {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"hello"},
        {"name": "4.jpg", "mimeType": "image/jpeg", "buffer": photograph("4")},
        {"name": "7.jpg", "mimeType": "image/jpeg", "buffer": photograph("7")},
    ]

    page.set_input_files("#file", files)

    page.wait_for_selector("#many figure")
    assert page.locator("#many figcaption").all_inner_texts() == ["4.jpg", "7.jpg"]
    assert page.inner_text("#problem").startswith("notes.txt: ")


def test_pasting_no_picture_is_a_sentence(stack, open_page):
    page = open_page(stack.url)
    page.wait_for_load_state("networkidle")  # it listens

    page.evaluate(
        """() => {
            const clipboardData = new DataTransfer();
            clipboardData.setData("text/plain", "seven");
            dispatchEvent(new ClipboardEvent("paste", { clipboardData }));
        }"""
    )

    assert "There is no picture in what was pasted" in page.inner_text("#problem")


def test_what_is_no_picture_is_a_sentence_and_the_next_drawing_is_read(stack, open_page):
    page = open_page(stack.url)

    page.set_input_files(
        "#file", {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"hello"}
    )

    page.wait_for_selector("#problem:visible")
    assert "notes.txt" in page.inner_text("#problem")
    draw(page, "1")
    answer_is(page, "1")
    assert page.is_hidden("#problem")


def test_the_camera_takes_a_picture(stack, launch, open_page, tmp_path):
    film = tmp_path / "seven.mjpeg"
    film.write_bytes(photograph("7", (640, 480)) * 30)
    browser = launch(
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-video-capture={film}",
    )
    page = open_page(stack.url, browser)

    page.click("#camera")
    page.wait_for_function("() => document.getElementById('video').videoWidth > 0")
    page.click("#shoot")

    answer_is(page, "7")
    assert not page.evaluate("() => document.getElementById('video').srcObject.active")


def test_a_digit_is_drawn_by_keyboard(stack, open_page):
    page = open_page(stack.url)
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("() => document.activeElement.id") == "pad":
            break

    page.keyboard.press(" ")
    for _ in range(15):
        page.keyboard.press("ArrowDown")
    page.keyboard.press(" ")
    answer_is(page, "1")

    page.keyboard.press("Escape")
    answer_is(page, "?")


def test_a_digit_is_drawn_with_a_finger_on_a_phone(stack, open_page):
    page = open_page(stack.url, viewport=PHONE, has_touch=True, is_mobile=True)
    touch = page.context.new_cdp_session(page)
    (stroke,) = DIGITS["2"]

    def send(kind, *points):
        places = [{"x": x, "y": y} for x, y in points]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": places})

    first, *others = on_pad(page, stroke)
    send("touchStart", first)
    for point in others:
        send("touchMove", point)
    send("touchEnd")

    answer_is(page, "2")
    assert page.evaluate("() => scrollY") == 0
    assert page.evaluate("() => document.documentElement.scrollWidth") <= PHONE["width"]


def test_the_pad_shows_the_drawing(stack, open_page):
    page = open_page(stack.url, color_scheme="dark")

    draw(page, "0")
    answer_is(page, "0")

    shot = Image.open(io.BytesIO(page.locator("#pad").screenshot())).convert("L")
    grey = np.asarray(shot)
    assert grey[grey.shape[0] // 2, grey.shape[1] // 2] < 60  # paper, in the dark
    assert grey.max() > 200  # ink


def test_a_wrong_answer_is_corrected_and_the_drawing_kept(stack, open_page):
    page = open_page(stack.url)
    kept = stack.client.get("/api/v1/feedback").json()["count"]
    draw(page, "7")
    answer_is(page, "7")

    page.click("[aria-label='It is a 4']")
    give_token(page)
    page.wait_for_function("() => document.getElementById('kept').textContent")

    told = stack.client.get("/api/v1/feedback").json()
    assert told["count"] == kept + 1
    assert (told["feedback"][0]["label"], told["feedback"][0]["version"]) == ("4", 1)
    assert page.is_hidden("#correct")


def test_what_to_do_next_is_shown_until_a_version_is_live(empty_stack, open_page):
    page = open_page(empty_stack.url)
    page.wait_for_selector("#untrained:visible")
    empty = (page.is_hidden("#try"), page.is_visible("text=Train one"))

    empty_stack.start_worker()
    empty_stack.train(promote="never")
    page.reload()
    page.wait_for_selector("#unpromoted:visible")
    told = page.inner_text("main")
    page.click("main >> a:text-is('Promote one')")
    page.click("[aria-label='Promote version 1']")
    page.click("#move-go")
    give_token(page)
    page.wait_for_selector("#live:text-is('Version 1 is live')")
    page.click("nav >> text=Try")
    page.wait_for_selector("#version option", state="attached")

    assert empty == (True, True)
    assert "No version of digits is live" in told
    assert page.is_visible("#pad")
    assert page.is_hidden("#unpromoted")
