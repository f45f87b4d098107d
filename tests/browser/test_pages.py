"""What holds for every page: accessible, at home on a phone, nothing from another host."""

import pytest

from tests.browser.conftest import PHONE, WIDE

pytestmark = [pytest.mark.browser, pytest.mark.integration]

PAGES = {
    "/": "#bars li",
    "/jobs": "#rows tr",
    "/jobs/{job}": "#loss svg",
    "/sweeps/{sweep}": "#plot polyline",
    "/models": "#models a",
    "/models/digits": "#versions tr",
    "/models/digits/versions/1": "#confusion table",
    "/system": "#workers tr",
}


@pytest.fixture(scope="module")
def sweep(stack):
    """The id of a sweep of two trials."""
    base = {"model": "swept", "dataset": "digits", "epochs": 2}
    body = {"base": base, "grid": {"optimizer.learning_rate": [0.003, 0.03]}, "publish": False}
    return stack.client.post("/api/v1/sweeps", json=body).json()["id"]


@pytest.fixture
def visit(stack, sweep, open_page):
    def one(path, **options):
        job = stack.client.get("/api/v1/jobs?model=digits").json()["jobs"][0]["id"]
        page = open_page(stack.url + path.format(job=job, sweep=sweep), **options)
        page.wait_for_selector(PAGES[path])
        return page

    return one


@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
@pytest.mark.parametrize("path", PAGES)
def test_axe_finds_nothing_serious_by_day_or_night(visit, path, size):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="make browser")
    page = visit(path, viewport=size)

    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        found = axe.Axe().run(page).response["violations"]
        serious = [v for v in found if v["impact"] in ("serious", "critical")]
        told = [(v["id"], [n["html"] for n in v["nodes"]]) for v in serious]
        assert not serious, (scheme, told)


@pytest.mark.parametrize("path", PAGES)
def test_a_page_fits_a_phone(visit, path):
    page = visit(path, viewport=PHONE, has_touch=True, is_mobile=True)

    assert page.evaluate("() => document.documentElement.scrollWidth") <= PHONE["width"]


@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
def test_long_names_push_nothing_out_of_sight(stack, open_page, size):
    name = "n" * 20 + "-" + "m" * 39
    stack.train(epochs=1, model=name)
    alias = f"/api/v1/models/{name}/aliases/a-long-alias-for-the-candidate-of-november"
    stack.client.put(alias, json={"version": 1}).raise_for_status()

    for path, last in (("/jobs", "#rows .status"), (f"/models/{name}", "#versions .number")):
        page = open_page(stack.url + path, viewport=size)
        page.wait_for_selector(last)
        box = page.locator(last).first.bounding_box()
        shown = page.locator(".flush:visible").first.bounding_box()

        assert box["x"] + box["width"] <= shown["x"] + shown["width"]
        assert page.evaluate("() => document.documentElement.scrollWidth") <= size["width"]


@pytest.mark.parametrize("path", PAGES)
def test_a_page_asks_no_other_host_and_runs_nothing_but_its_own_files(stack, visit, path):
    page = visit(path)
    asked = []
    page.on("request", lambda request: asked.append(request.url))

    response = page.reload()
    page.wait_for_selector(PAGES[path])

    policy = response.headers["content-security-policy"]
    assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy
    assert "unsafe" not in policy
    assert all(url.startswith((stack.url, "data:")) for url in asked)


def test_a_wrong_address_is_a_page_with_a_way_out(stack, open_page):
    page = open_page(stack.url)

    response = page.goto(f"{stack.url}/nowhere")

    assert response.status == 404
    assert "There is nothing at /nowhere." in page.inner_text("main")
    page.click("text=Draw a digit")
    page.wait_for_selector("#pad")


@pytest.mark.parametrize(
    ("path", "heading", "way"),
    [
        ("/jobs/nobody", "No such job", "All jobs"),
        ("/sweeps/nobody", "No such sweep", "All jobs and sweeps"),
        ("/models/nobody", "No such model", "All models"),
        ("/models/digits/versions/999", "No such version", "All models"),
    ],
)
def test_what_does_not_exist_has_a_page_with_a_heading_and_a_way_out(
    stack, open_page, path, heading, way
):
    page = open_page(stack.url + path)

    page.wait_for_selector("#unknown:visible")

    assert page.locator("h1:visible").all_inner_texts() == [heading]
    assert path.rpartition("/")[2] in page.inner_text("#unknown-detail")
    assert page.locator("main > :visible").count() == 1
    page.click(f"main >> text={way}")
    page.wait_for_selector("#rows tr, #models a")


def test_a_program_gets_no_page_for_an_error(stack):
    for path in ("/nowhere", "/api/v1/nowhere"):
        answer = stack.client.get(path, headers={"Accept": "*/*"})

        assert answer.headers["Content-Type"] == "application/problem+json"


def test_the_pages_are_found_from_each_other(stack, open_page):
    page = open_page(stack.url, viewport=WIDE)

    for name, heading in (("Jobs", "Jobs"), ("Models", "Models"), ("System", "System")):
        page.click(f"nav >> text={name}")
        page.wait_for_selector(f"h1:text-is('{heading}')")
        assert page.inner_text("nav [aria-current]") == name
