"""The client in front of the real service: whatever images come as, the answer is the same."""

import asyncio
import io

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from inkwell import AsyncClient, Client
from nncore.framing import frame_digit
from tests.stack import TOKEN

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
    job = client.train(dataset="digits", epochs=3000, seed=4, promote="never")
    while len(job.history) < 2:
        pass
    assert client.find_job(job.stop().id).id == job.id
    while job.refresh().status == "started":
        pass
    assert job.resume().status == "queued"
    job.stop()

    done = client.train(dataset="digits", epochs=2, seed=5, promote="never").wait(120)

    assert client.version("digits", done.result["version"]).manifest["job_id"] == done.id


def test_versions_are_promoted_and_rolled_back_by_the_async_client(stack, client):
    client.train(dataset="digits", epochs=1, seed=6, promote="never").wait(120)

    async def move():
        async with AsyncClient(stack.url, TOKEN) as both:
            newest = (await both.versions("digits", limit=1))["versions"][0]["version"]
            await both.promote("digits", newest, reason="a look")
            promoted = (await both.version("digits")).version
            await both.rollback("digits")
            return newest, promoted, (await both.version("digits")).version

    newest, promoted, back = asyncio.run(move())

    assert promoted == newest != back
