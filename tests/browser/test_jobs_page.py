"""The pages of jobs: starting one, watching it, stopping it, going on with it."""

import contextlib
import os
import signal

import pytest

from tests.browser.conftest import PHONE
from tests.stack import TOKEN, wait_for

ROWS = "document.querySelectorAll('#rows tr').length"
STATUS = "document.querySelector('#rows .status').textContent"

pytestmark = [pytest.mark.browser, pytest.mark.integration]


def give_token(page, token=TOKEN):
    page.wait_for_selector("#token-dialog[open]")
    page.fill("#token", token)
    page.keyboard.press("Enter")


@contextlib.contextmanager
def held_up(process):
    """Let a process stand still: a job ends sooner than a page opens where much else runs."""
    os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process, signal.SIGCONT)


def test_a_job_is_started_its_curve_grows_and_its_version_appears(stack, open_page):
    page = open_page(f"{stack.url}/jobs")

    page.fill("[name=epochs]", "200")
    page.fill("[name=seed]", "11")
    page.select_option("[name=promote]", "never")
    with held_up(stack.processes["worker"].pid):
        page.click("text=Start >> nth=-1")
        give_token(page)
        page.wait_for_url("**/jobs/*-*")
        page.wait_for_selector("#job:visible")
    job_id = page.url.rpartition("/")[2]
    wait_for(lambda: len(stack.job(job_id)["history"]) > 1, what="the beginning of a curve")
    with held_up(stack.horse(job_id)[1]):
        page.wait_for_selector("#loss polyline")
        points = "document.querySelector('#loss polyline.first').points.numberOfItems"
        few = page.evaluate(points)
    page.wait_for_function(f"n => {points} > n", arg=few)
    page.wait_for_selector("#outcome:visible")

    assert page.evaluate(points) == 200
    assert "of the test images right. It did not go live" in page.inner_text("#outcome")
    page.click("#outcome a")
    page.wait_for_selector("#version:visible")
    assert page.inner_text("#title").startswith("digits version ")
    assert page.inner_text("#facts tr:first-child td") in stack_percentages(stack)


def stack_percentages(stack):
    rows = stack.client.get("/api/v1/models/digits/versions").json()["versions"]
    return {f"{100 * row['test_accuracy']:.2f}\u00a0%" for row in rows}


def test_a_wrong_token_is_said_and_asked_for_again(stack, open_page):
    page = open_page(f"{stack.url}/jobs")
    page.fill("[name=epochs]", "2")
    page.fill("[name=seed]", "12")

    page.click("text=Start >> nth=-1")
    give_token(page, "wrong")
    page.wait_for_function("() => document.getElementById('token-wrong').textContent")
    give_token(page)

    page.wait_for_url("**/jobs/*-*")
    assert page.evaluate("() => sessionStorage.getItem('inkwell-token')") == TOKEN
    assert page.evaluate("() => localStorage.length + document.cookie.length") == 0


def test_who_gives_up_on_the_token_is_asked_again_the_next_time(stack, open_page):
    page = open_page(f"{stack.url}/jobs")

    for way_out in ("Cancel", "Escape"):
        page.click("text=Start >> nth=-1")
        page.wait_for_selector("#token-dialog[open]")
        page.fill("#token", TOKEN)
        if way_out == "Cancel":
            page.click("#token-dialog >> text=Cancel")
        else:
            page.keyboard.press(way_out)
        page.wait_for_selector("#token-dialog:not([open])", state="attached")

    assert page.evaluate("() => sessionStorage.length") == 0
    assert page.url == f"{stack.url}/jobs"


def test_a_job_that_failed_in_its_first_epoch_waits_for_no_curve(stack, open_page):
    failed = stack.train(epochs=2, optimizer={"type": "sgd", "learning_rate": 1e30})
    page = open_page(f"{stack.url}/jobs/{failed['id']}")

    page.wait_for_selector("#outcome:visible")

    assert failed["status"] == "failed"
    assert "No epoch came to its end." in page.inner_text("#loss")


def test_fields_are_checked_as_one_types_and_the_time_is_estimated(stack, open_page):
    page = open_page(stack.url)
    page.evaluate("token => sessionStorage.setItem('inkwell-token', token)", TOKEN)
    page.goto(f"{stack.url}/jobs")
    page.wait_for_function(
        "() => document.getElementById('estimate').textContent.includes('about')"
    )

    page.fill("[name=epochs]", "ten")
    page.wait_for_selector("[data-for=epochs]:not(:empty)")
    page.fill("[name=learning_rate]", "-1")
    page.wait_for_selector("[data-for='optimizer/learning_rate']:not(:empty)")

    assert page.get_attribute("[name=epochs]", "aria-invalid") == "true"
    assert "ten" in page.inner_text("[data-for=epochs]")
    page.fill("[name=epochs]", "3")
    page.fill("[name=learning_rate]", "")
    page.wait_for_function("() => !document.querySelector('[aria-invalid]')")
    page.wait_for_function(
        "() => document.getElementById('estimate').textContent.startsWith('109,386 parameters')"
    )


def test_a_preset_brings_its_data_and_its_numbers(stack, open_page):
    page = open_page(stack.url)
    page.evaluate("token => sessionStorage.setItem('inkwell-token', token)", TOKEN)
    page.goto(f"{stack.url}/jobs")

    page.select_option("[name=preset]", "two-layer-sse")

    page.wait_for_function("() => document.querySelector('[name=epochs]').placeholder === '1500'")
    assert page.input_value("[name=dataset]") == "xor"


def test_a_job_learns_data_of_ones_own_with_the_corrected_examples(stack, open_page):
    rows = "\n".join(f"{i % 10},{','.join([str(i)] * 784)}" for i in range(90))
    stack.client.post("/api/v1/datasets/mine", content=rows).raise_for_status()
    page = open_page(stack.url)
    page.evaluate("token => sessionStorage.setItem('inkwell-token', token)", TOKEN)
    page.goto(f"{stack.url}/jobs")
    page.wait_for_selector("[name=dataset] >> text=mine", state="attached")

    page.select_option("[name=dataset]", "mine")
    page.check("text=With the corrected examples")
    page.fill("[name=epochs]", "1")
    page.select_option("[name=promote]", "never")
    page.click("text=Start >> nth=-1")

    page.wait_for_url("**/jobs/*-*")
    posted = stack.client.get(page.url.replace("/jobs/", "/api/v1/jobs/")).json()
    assert posted["config"]["dataset"] == ["mine", "feedback"]


def test_a_preset_of_two_data_sets_is_asked_for_with_both(stack, open_page):
    page = open_page(stack.url)
    page.evaluate("token => sessionStorage.setItem('inkwell-token', token)", TOKEN)
    page.goto(f"{stack.url}/jobs")

    with page.expect_request(lambda asked: '"serving"' in (asked.post_data or "")) as asked:
        page.select_option("[name=preset]", "serving")

    assert page.input_value("[name=dataset]") == "mnist"
    assert asked.value.post_data_json["dataset"] == ["mnist", "ones"]


@contextlib.contextmanager
def a_long_job(stack):
    """Post a job that lasts until it is stopped, as it is at the end of the block."""
    job = stack.post(epochs=100_000, seed=13, promote="never")
    try:
        yield job
    finally:
        stack.client.post(f"/api/v1/jobs/{job['id']}/stop")


def test_a_job_is_stopped_and_goes_on(stack, open_page):
    with a_long_job(stack) as job:
        stack.wait_for_progress(job["id"])
        page = open_page(f"{stack.url}/jobs/{job['id']}")
        page.wait_for_selector("#loss polyline")

        page.click("#stop")
        give_token(page)
        page.wait_for_function("() => document.getElementById('status').textContent === 'stopped'")
        page.click("#resume")
        page.wait_for_function("() => document.getElementById('status').textContent === 'runs'")
        page.click("#stop")
        page.wait_for_selector("#resume:visible")

        assert "Resumed." in page.inner_text("#story")


def test_the_list_shows_jobs_as_they_go_on(stack, open_page):
    page = open_page(f"{stack.url}/jobs")
    page.wait_for_selector("#rows tr")
    rows = page.locator("#rows tr").count()

    job = stack.post(epochs=2, seed=14, promote="never")

    page.wait_for_function(f"n => {ROWS} > n", arg=rows)
    stack.wait(job["id"])
    page.wait_for_function(f"() => {ROWS} && {STATUS} === 'done'")


def test_a_sweep_shows_its_trials_as_a_table_and_a_plot(stack, open_page):
    space = {"optimizer.learning_rate": [0.003, 0.03]}
    base = {"model": "swept", "dataset": "digits", "epochs": 3}
    sweep = stack.client.post("/api/v1/sweeps", json={"base": base, "grid": space}).json()
    page = open_page(f"{stack.url}/jobs")

    page.click("#sweeps a")
    page.wait_for_selector("#outcome:visible")

    assert page.url.endswith(sweep["id"])
    trials = page.locator("#trials tr").all_inner_texts()
    assert len(trials) == 2
    assert "best" in trials[0]
    assert "optimizer.learning_rate =\u00a00.03" in "".join(trials)
    assert page.locator("#plot polyline").count() == 2
    assert page.locator("#plot .best").count() == 1
    assert "of the test images right" in page.inner_text("#outcome")


# Tells of each word that begins on one line and ends on another. A name may break at its dots.
BROKEN_WORDS = """names => names.flatMap((name) => {
  const walker = document.createTreeWalker(name, NodeFilter.SHOW_TEXT), broken = [];
  for (let node = walker.nextNode(); node; node = walker.nextNode())
    for (const word of node.data.matchAll(/\\S+/g)) {
      const range = document.createRange();
      range.setStart(node, word.index);
      range.setEnd(node, word.index + word[0].length);
      if (range.getClientRects().length > 1) broken.push(word[0]);
    }
  return broken;
})"""


def test_long_names_of_trials_break_between_words_on_a_phone(stack, open_page):
    space = {"optimizer.learning_rate": [0.0003], "augment.elastic": [1.25]}
    base = {"model": "long", "dataset": "digits", "epochs": 1, "augment": {"elastic": 1}}
    sweep = stack.client.post("/api/v1/sweeps", json={"base": base, "grid": space}).json()["id"]

    page = open_page(f"{stack.url}/sweeps/{sweep}", viewport=PHONE)
    page.wait_for_selector(".trial")

    assert "optimizer.learning_rate =\u00a00.0003" in page.inner_text("#trials")
    assert page.locator(".trial, h1").evaluate_all(BROKEN_WORDS) == []
    assert page.evaluate("() => document.body.scrollWidth <= innerWidth")


def test_an_empty_system_says_how_to_start_the_first_job(empty_stack, open_page):
    page = open_page(f"{empty_stack.url}/jobs")

    page.wait_for_selector("#none:visible")

    assert page.is_visible("form >> text=Start")
    assert page.is_hidden("#list")
