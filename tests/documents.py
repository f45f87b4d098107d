"""The blocks of code in the documents, to be run as they stand."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]


def blocks(document, language):
    """Return the blocks of that language, in order."""
    text = (ROOT / document).read_text()
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.M | re.S)
