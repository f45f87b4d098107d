"""What a person sees at the first start: a model is trained, and where to look."""

import time
from collections.abc import Callable

from inkwell.client import Client, ServiceError
from inkwell.errors import InkwellError
from inkwell.settings import Settings
from inkwell.watching import EpochLines, failure, follow, outcome

PRESET = "first"  # trained on the 1,797 digits of scikit-learn: some ten seconds
SHOWN_EVERY = 20


class Stopped(Exception):  # noqa: N818 - no error
    """`up` is being stopped; nothing more is to be said."""


def welcome(settings: Settings, say: Callable[[str], None], stopping: Callable[[], bool]) -> None:
    """Wait for the service, see that a model is live, and say where to look."""

    def pause(seconds: float) -> None:
        time.sleep(seconds)
        if stopping():
            raise Stopped

    try:
        with Client(settings.url) as client:
            while not client.live():
                pause(0.3)
            if not client.ready():
                _make_ready(client, settings, say, pause)
    except InkwellError as error:
        say(f"The first training failed: {error}")
    except Stopped:
        return
    for line in directions(settings):
        say(line)


def has_live_version(client: Client, model: str) -> bool:
    """Tell whether the service can answer with this model."""
    try:
        return "live" in client.model(model)["aliases"]
    except ServiceError:
        return False


def _make_ready(
    client: Client,
    settings: Settings,
    say: Callable[[str], None],
    pause: Callable[[float], None],
) -> None:
    """Train on the data that scikit-learn ships, if there is no live version at all."""
    if has_live_version(client, settings.model):
        say(f"The live version of {settings.model} is refused; {settings.url}/readyz tells why.")
        return
    say("The store has no model yet: training a first one ...")
    config = {"model": settings.model, "preset": PRESET}
    # Only now has the service made the token that the store keeps.
    with Client.from_settings(settings) as admin:
        job = admin.post_job(config)
    job = follow(lambda: client.job(job["id"]), EpochLines(say, every=SHOWN_EVERY), pause=pause)
    finished = job["status"] == "finished"
    say(outcome(job) if finished else f"The first training failed: {failure(job)}")


def directions(settings: Settings) -> list[str]:
    """Return where to look, and what to type."""
    url = settings.url
    token = "INKWELL_ADMIN_TOKEN" if settings.admin_token else str(settings.token_file)
    octets = "-H 'Content-Type: application/octet-stream' --data-binary @-"
    return [
        f"Inkwell is ready: {url}",
        f"  try it   head -c 784 /dev/urandom | curl {octets} {url}/api/v1/predict",
        "  or       inkwell predict PICTURE.png",
        "  train    inkwell train --dataset digits --wait",
        f"  token    in {token}",
        "  stop     Ctrl-C or inkwell down",
    ]
