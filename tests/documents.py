"""The blocks of code in the documents, to be run as they stand, and the answers that they show."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
LEFT_OUT = "…"
# Other each time: ids, times, hashes, and numbers with a point, which another processor rounds.
OTHER = re.compile(
    r"[0-9a-f]{8}-[0-9a-f-]{27}|\d{4}-\d\d-\d\dT[\d:.]+Z|[0-9a-f]{12,64}"
    r"|-?\d+\.\d+(?:e[+-]?\d+)?|\d+e[+-]?\d+"
)


def blocks(document, language):
    """Return the blocks of that language, in order."""
    text = (ROOT / document).read_text()
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.M | re.S)


def exchanges(document):
    """Return each command of the blocks that show a console, with the answer that stands there."""
    found = []
    for block in blocks(document, "console"):
        for part in re.split(r"^\$ ", block, flags=re.M)[1:]:
            # A command goes on behind a backslash, or until its quotes are closed.
            lines = part.splitlines()
            command = lines.pop(0)
            while command.endswith("\\") or command.count("'") % 2:
                command += "\n" + lines.pop(0)
            found.append((command, "\n".join(lines)))
    return found


def agrees(shown, answer):
    """Tell whether an answer is the one that is shown: as to all that is the same each time."""
    pattern = ".*".join(map(re.escape, _plain(shown).split(LEFT_OUT)))
    return re.fullmatch(pattern, _plain(answer), re.S) is not None


def _plain(text):
    text = OTHER.sub("#", "".join(text.split()))
    return re.sub(f",?{LEFT_OUT},?", LEFT_OUT, text)
