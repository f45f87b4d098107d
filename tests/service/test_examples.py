"""No call is missing among the examples of requests and answers."""

import re

from tests.documents import exchanges

# For people: pages, and the document as one.
PAGES = ("pages.", "openapi.show_page", "static")


def test_the_examples_show_every_call(app):
    addresses = app.url_map.bind("localhost")

    shown = {
        addresses.match(path, method_of(command))[0]
        for command, _ in exchanges("docs/http-examples.md")
        for path in re.findall(r"localhost:8000(/[^\s\"?]*)", command)
    }

    endpoints = {rule.endpoint for rule in app.url_map.iter_rules()}
    assert {one for one in endpoints if not one.startswith(PAGES)} - shown == set()


def method_of(command):
    """Return the method with which curl asks."""
    if named := re.search(r" -X (\w+)", command):
        return named[1]
    if " -T " in command:
        return "PUT"
    return "POST" if re.search(r" -(?:d|F|-data-binary) ", command) else "GET"
