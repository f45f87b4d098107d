"""The client in front of the real service: whatever images come as, the answer is the same."""

import asyncio
import io

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from inkwell import AsyncClient, Client, NotFinished, ServiceError
from nncore.framing import frame_digit
from tests.stack import TOKEN, TRAIN_SECONDS, wait_for

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def client(stack):
    stack.train(epochs=20)
    with Client(stack.url, TOKEN) as client:
        yield client


@pytest.fixture(scope="module")
def images():
    return np.stack([frame_digit(image) for image in load_digits().images[:5]])


def test_every_form_of_the_same_images_gets_the_same_answer(client, images):
    npy = io.BytesIO()
    np.save(npy, images)

    answers = [
        client.predict(form)
        for form in (images, images.reshape(5, 784), images / 255, npy.getvalue(), images.tolist())
    ]

    labels = [[row.label for row in answer] for answer in answers]
    assert labels == [labels[0]] * 5
    np.testing.assert_allclose(answers[2][0].probabilities, answers[0][0].probabilities, atol=1e-5)


def test_pictures_are_read_one_or_many(client, images):
    pictures = [Image.fromarray(255 - image).resize((280, 280)) for image in images]

    one, many = client.predict(pictures[0]), client.predict(pictures)

    assert (len(one), len(many)) == (1, 5)
    # A batch of one and of many sum in another order.
    np.testing.assert_allclose(one[0].probabilities, many[0].probabilities, atol=1e-5)


def test_a_job_is_trained_stopped_resumed_and_waited_for(client):
    job = client.train(dataset="digits", epochs=100_000, seed=4, promote="never")
    wait_for(lambda: len(job.history) >= 2, what="two epochs")
    assert client.find_job(job.stop().id).id == job.id
    wait_for(lambda: job.refresh().status == "stopped", what="its end")
    assert job.resume().status == "queued"
    job.stop()

    done = client.train(dataset="digits", epochs=2, seed=5, promote="never").wait(TRAIN_SECONDS)

    assert client.version("digits", done.result["version"]).manifest["job_id"] == done.id


def test_versions_are_promoted_and_rolled_back_by_the_async_client(stack, client):
    client.train(dataset="digits", epochs=1, seed=6, promote="never").wait(TRAIN_SECONDS)

    async def move():
        async with AsyncClient(stack.url, TOKEN) as both:
            newest = (await both.versions("digits", limit=1))["versions"][0]["version"]
            await both.promote("digits", newest, reason="a look")
            promoted = (await both.version("digits")).version
            await both.rollback("digits")
            for alias in ("champion", "challenger"):
                await both.promote("digits", newest, alias)
            await both.remove_alias("digits", "champion", reason="seen enough")
            return newest, promoted, (await both.version("digits")).version

    newest, promoted, back = asyncio.run(move())
    client.remove_alias("digits", "challenger", reason="over", actor="me")

    assert promoted == newest != back
    moves = client.history("digits")["history"][-2:]
    assert [(move["alias"], move["from"], move["to"], move["reason"]) for move in moves] == [
        ("champion", newest, None, "seen enough"),
        ("challenger", newest, None, "over"),
    ]
    assert [move["actor"] for move in moves] == ["api", "me"]


def test_versions_share_an_alias_and_are_fetched_as_files_by_both_clients(stack, client):
    newest, before = (
        client.train(epochs=1, promote="never", seed=seed).wait(TRAIN_SECONDS).result["version"]
        for seed in (11, 12)
    )

    split = {newest: 0.5, before: 0.5}
    moved = client.promote("digits", alias="both", split=split, shadow=newest)

    async def look():
        async with AsyncClient(stack.url, TOKEN) as both:
            await both.promote("digits", newest, "both", shadow=before)
            aliases = {one["alias"]: one for one in (await both.aliases("digits"))["aliases"]}
            exported = await both.export("digits", newest)
            return aliases["both"], await both.shadows("digits"), exported

    shown, shadows, exported = asyncio.run(look())

    assert moved["split"] == {str(number): 0.5 for number in sorted(split)}
    assert (shown["version"], shown["shadow"], shown["split"]) == (newest, before, None)
    assert shadows == client.shadows("digits") == {"shadows": []}
    assert exported == client.export("digits", newest, "onnx")
    assert client.export("digits", newest, "npz")[:2] == b"PK"
    with pytest.raises(ServiceError, match="format"):
        client.export("digits", newest, "pickle")
    client.remove_alias("digits", "both")


def test_a_sweep_is_at_hand_with_its_trials_and_its_best(client):
    base = {"epochs": 1, "promote": "never"}

    sweep = client.sweep(base, grid={"batch_size": [32, 64]}).wait(TRAIN_SECONDS)

    assert {row["parameters"]["batch_size"] for row in sweep.trials} == {32, 64}
    assert sweep.best == sweep.trials[0]
    assert sweep.result["version"]
    assert "<td>batch_size</td><td>validation_accuracy</td>" in sweep._repr_html_()
    assert [one["id"] for one in client.sweeps()["sweeps"]] == [sweep.id]
    seeds = {"seed": {"low": 0, "high": 9, "integer": True}}
    drawn = client.sweep(base | {"epochs": 100_000}, random=seeds, trials=2)
    assert drawn.stop().status == "stopping"
    with pytest.raises(NotFinished, match="stopped"):
        drawn.wait(TRAIN_SECONDS)


def test_data_feedback_and_schedules_come_and_go(client, images):
    packed = io.BytesIO()
    np.savez(
        packed,
        x=np.tile(images, (8, 1, 1)) + np.arange(40, dtype=np.uint8)[:, None, None],
        y=np.arange(40) % 2,
    )
    assert client.add_dataset("mine", packed.getvalue())["labels"] == ["0", "1"]
    assert client.dataset("mine")["format"] == "npz"
    client.delete_dataset("mine")
    assert "mine" not in {one["name"] for one in client.datasets()["datasets"]}

    assert client.add_feedback(images[:2], ["3", 4])["added"] == 2
    assert client.add_feedback(images[2], 5, version="live")["count"] == 3
    client.delete_feedback(2)
    assert client.feedback(model="digits")["labels"] == {"3": 1, "5": 1}

    client.put_schedule("nightly", "0 2 * * *", {"model": "digits", "dataset": "digits"})
    assert client.schedule("nightly") == client.schedules()["schedules"][0]
    client.delete_schedule("nightly")
    assert client.schedules()["schedules"] == []


def test_the_async_client_knows_every_call_of_the_client():
    def calls(kind):
        return {name for name in vars(kind) if not name.startswith("_")}

    # What the command line alone asks for, to look before the service is ready.
    own = {"from_settings", "live", "ready", "readiness", "post_pixels", "post_job"}
    assert calls(Client) - own == calls(AsyncClient)


def test_the_async_client_sweeps_and_keeps_data_feedback_and_schedules(stack, images):
    async def use():
        async with AsyncClient(stack.url, TOKEN) as both:
            sweep = await both.sweep({"epochs": 1, "promote": "never"}, grid={"seed": [1, 2]})
            found = await (await both.find_sweep(sweep.id)).wait(TRAIN_SECONDS)
            with pytest.raises(ServiceError, match="has ended"):
                await found.stop()
            kept = await both.add_feedback(images[0], 0)
            number = (await both.feedback())["feedback"][0]["number"]
            await both.delete_feedback(number)
            await both.put_schedule("s", "0 2 * * *", {"model": "digits", "dataset": "digits"})
            shown = await both.schedule("s")
            await both.delete_schedule("s")
            again = await both.schedules(), await both.sweeps(), await both.datasets()
            return found.trials, kept["added"], shown["name"], again

    trials, added, name, (schedules, sweeps, datasets) = asyncio.run(use())

    assert (len(trials), added, name) == (2, 1, "s")
    assert (schedules["schedules"], len(sweeps["sweeps"])) == ([], 3)
    assert "mnist" in {one["name"] for one in datasets["datasets"]}


def test_a_version_that_no_alias_names_is_deleted(client):
    done = client.train(epochs=1, promote="never", seed=9).wait(TRAIN_SECONDS)
    version = done.result["version"]

    client.delete_version("digits", version)

    with pytest.raises(ServiceError, match="no version"):
        client.version("digits", version)
