"""The pages of models: what is live and why, promoting, rolling back, what a version gets wrong."""

import numpy as np
import pytest

from tests.browser.conftest import PHONE, WIDE
from tests.browser.test_jobs_page import give_token
from tests.stack import wait_for

pytestmark = [pytest.mark.browser, pytest.mark.integration]


def live(stack):
    return stack.client.get("/api/v1/models/digits").json()["live"]


def live_becomes(page, version):
    page.wait_for_function(
        "text => document.getElementById('live').textContent === text",
        arg=f"Version {version} is live",
    )


def test_a_version_is_promoted_and_rolled_back_with_reasons(stack, open_page):
    page = open_page(f"{stack.url}/models/digits")
    live_becomes(page, 1)

    page.click("[aria-label='Promote version 2']")
    page.fill("#reason", "a look")
    page.click("#move-go")
    give_token(page)
    live_becomes(page, 2)
    promoted = live(stack)
    page.click("#rollback")
    page.fill("#reason", "misreads sevens")
    page.click("#move-go")
    live_becomes(page, 1)

    assert (promoted, live(stack)) == (2, 1)
    history = page.inner_text("#history")
    assert "live is version 2, after 1, by the page: a look" in history
    assert "live is version 1, after 2, by the page: misreads sevens" in history


def test_a_split_is_told_with_its_shares(stack, open_page):
    live = {"split": {"1": 0.75, "2": 0.25}, "shadow": 2}
    stack.client.put("/api/v1/models/digits/aliases/live", json=live).raise_for_status()
    page = open_page(f"{stack.url}/models/digits")
    page.wait_for_selector("#live:has-text('are live')")
    stack.client.put("/api/v1/models/digits/aliases/live", json={"version": 1}).raise_for_status()

    told = "1 (75\u00a0%) and 2 (25\u00a0%) with 2 in the shadow"
    assert page.inner_text("#live") == f"Versions {told} are live"
    assert page.inner_text("#rollback") == "Roll back to what was before"
    assert f"live is version {told}, after 1, by api" in page.inner_text("#history li >> nth=0")


def test_where_a_shadow_disagrees_is_counted_and_shown(stack, open_page):
    alias, shadows = "/api/v1/models/digits/aliases/live", "/api/v1/models/digits/shadows"
    pixels = np.random.default_rng(0).integers(0, 256, (300, 784), np.uint8)
    octets = {"Content-Type": "application/octet-stream"}
    stack.client.put(alias, json={"version": 1, "shadow": 2}).raise_for_status()
    stack.client.post("/api/v1/predict", content=pixels.tobytes(), headers=octets)
    stack.client.put(alias, json={"version": 1}).raise_for_status()
    wait_for(lambda: stack.client.get(shadows).json()["shadows"], what="the shadow")
    (told,) = stack.client.get(shadows).json()["shadows"]

    page = open_page(f"{stack.url}/models/digits")

    page.wait_for_selector("#shadows figure")
    agreed = (
        f"Version 2 agrees with version 1 on {100 * told['agreement']:.2f}\u00a0% of 300 pictures."
    )
    assert agreed in page.inner_text("#shadows")
    assert page.locator("#shadows figure").count() == len(told["disagreements"]) > 0


def test_all_of_it_is_done_by_keyboard_alone(stack, open_page):
    page = open_page(f"{stack.url}/")

    def tab_to(name):
        for _ in range(60):
            page.keyboard.press("Tab")
            focused = page.evaluate(
                "() => (document.activeElement.ariaLabel || document.activeElement.innerText)"
            )
            if focused.strip() == name:
                return
        raise AssertionError(f"{name} cannot be reached")

    tab_to("Models")
    page.keyboard.press("Enter")
    page.wait_for_selector("#models a")
    page.keyboard.press("Tab")
    while not page.evaluate("() => document.activeElement.matches('#models a')"):
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    live_becomes(page, 1)
    tab_to("Promote version 2")
    page.keyboard.press("Enter")
    page.keyboard.type("by keyboard")
    page.keyboard.press("Enter")
    give_token(page)
    live_becomes(page, 2)
    tab_to("Roll back to version 1")
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    live_becomes(page, 1)

    assert "by the page: by keyboard" in page.inner_text("#history")


def test_giving_up_the_dialog_changes_nothing(stack, open_page):
    page = open_page(f"{stack.url}/models/digits")
    live_becomes(page, 1)

    page.click("[aria-label='Promote version 2']")
    page.keyboard.press("Escape")
    page.click("[aria-label='Promote version 2']")
    page.click("#move-go")
    page.wait_for_selector("#token-dialog[open]")
    page.keyboard.press("Escape")

    page.wait_for_selector("#token-dialog:not([open])", state="attached")
    assert live(stack) == 1
    assert page.is_hidden("#problem")


def test_a_version_shows_what_it_takes_for_what_and_the_pictures(stack, open_page):
    page = open_page(f"{stack.url}/models/digits/versions/2")
    page.wait_for_selector("#mistakes figure")
    kept = page.locator("#mistakes figure").count()

    page.locator("#mistakes canvas").first.wait_for()
    caption = page.locator("#mistakes canvas").first.get_attribute("aria-label")
    label, answer = caption[2], caption[-1]  # A 5, read as 6
    page.click(f"[aria-label$=' times {label} was read as {answer}']")

    page.wait_for_function(
        "text => document.getElementById('mistakes-title').textContent === text",
        arg=f"{label} read as {answer}",
    )
    shown = page.locator("#mistakes figcaption").all_inner_texts()
    assert all(text.startswith(f"{label} read as {answer}") for text in shown)
    matrix = stack.client.get("/api/v1/models/digits/versions/2").json()["metrics"]
    assert len(shown) == min(10, matrix["confusion_matrix"][int(label)][int(answer)])
    page.click("[aria-label$=' times 0 was read as 0']")
    page.wait_for_selector("#mistakes-title:text-is('0 read as 0')")
    assert page.locator("#mistakes figure").count() == 10
    page.click("text=Back to the mistakes")
    assert page.locator("#mistakes figure").count() == kept
    counts = page.locator("#confusion button").all_inner_texts()
    assert [int(count or 0) for count in counts] == np.ravel(matrix["confusion_matrix"]).tolist()


def test_a_version_shows_how_sure_it_is_and_how_often_right(stack, open_page):
    page = open_page(f"{stack.url}/models/digits/versions/1")

    page.wait_for_selector("#calibration circle")

    assert "Sure and right differ by" in page.inner_text("#calibration")


def test_two_versions_are_compared_side_by_side(stack, open_page):
    page = open_page(f"{stack.url}/models/digits/versions/1")
    page.wait_for_selector("#facts tr")

    page.select_option("#other", "2")

    page.wait_for_selector("#facts th[scope=col] >> nth=1")
    epochs = page.locator("#facts tr", has_text="Epochs").locator("td").all_inner_texts()
    assert epochs == ["20", "3"]


@pytest.mark.parametrize("viewport", [WIDE, PHONE], ids=["wide", "phone"])
def test_the_difference_of_two_versions_is_told_judged_and_shown_in_pictures(
    stack, open_page, viewport
):
    first, second = (stack.client.get(f"/api/v1/models/digits/versions/{n}").json() for n in (1, 2))
    report = f"/api/v1/models/digits/versions/{second['version']}/report/disagreements.json"
    pictures = stack.client.get(report).json()["disagreements"]
    page = open_page(f"{stack.url}/models/digits/versions/1", viewport=viewport)
    page.wait_for_selector("#other option >> nth=1", state="attached")

    page.select_option("#other", "2")
    page.wait_for_selector("#disagreements figure")

    accuracies = [version["metrics"]["test_accuracy"] for version in (first, second)]
    points = 100 * (accuracies[0] - accuracies[1])
    assert page.inner_text("#difference").replace("\u2212", "-") == f"{points:+.2f} points"
    verdict = second["verdict"]
    judged = page.inner_text("#judged")
    assert f"version 2 alone reads {verdict['gained']} right" in judged
    assert f"version 1 alone {verdict['lost']}" in judged
    assert ("is ruled out" in judged) == (verdict["p_value"] < verdict["level"])
    assert page.locator("#disagreements figure").count() == len(pictures) > 0
    rows = page.locator("#classes tr").all_inner_texts()
    for label, row in enumerate(rows):
        mine, other = (100 * right(version, label) for version in (first, second))
        assert row.split()[0] == str(label)
        shown = float(row.split()[-1].replace("\u2212", "-"))
        assert shown == pytest.approx(mine - other, abs=0.051)  # it is rounded to 0.1
    assert page.evaluate("() => document.body.scrollWidth <= innerWidth")
    assert page.locator("#classes-card").evaluate("card => card.scrollWidth <= card.clientWidth")

    page.select_option("#other", "")
    page.wait_for_selector("#comparison", state="hidden")


def right(version, label):
    """Return which share of a class is read right."""
    row = version["metrics"]["confusion_matrix"][label]
    return row[label] / sum(row)


def test_no_model_shows_what_to_do_next(empty_stack, open_page):
    page = open_page(f"{empty_stack.url}/models")

    page.wait_for_selector("#none:visible")

    assert page.is_visible("text=Train one")
