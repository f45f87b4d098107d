"""Pictures in a zip of labelled folders, read in a process of its own.

Reading twenty thousand photographs takes the better part of an hour. In a process of its own, which
yields to others, that holds up no prediction: not by Python's lock, and little by the processor.
"""

import io
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable, Sequence
from pathlib import PurePosixPath
from typing import Any, NamedTuple

import numpy as np

from nncore.arrays import Pixels
from service.dataset_csv import ROW
from service.picture_files import open_picture
from service.pictures import read_picture
from service.problems import Problem

TEST, TRAIN = "test", "train"
NICENESS = 10
COMMAND = (sys.executable, "-m", "service.picture_folders")


class Folders(NamedTuple):
    """What was read: the labels of the pictures of each part, their pixels, and what was not."""

    labels: dict[str, list[str]]
    pixels: dict[str, Pixels]
    left_out: list[dict[str, str]]


def read_apart(body: bytes, names: Sequence[str]) -> Folders:
    """Return the pictures called `names` of the zip `body`.

    Raises
    ------
    ValueError
        If it is no whole zip.
    Problem
        503 where the process was ended.
    """
    done = subprocess.run(  # noqa: S603 - our own program; the body goes to its input
        COMMAND, input=_line([os.getpid(), *names]) + body, stdout=subprocess.PIPE, check=False
    )
    head, newline, rest = done.stdout.partition(b"\n")
    if done.returncode or not newline:
        detail = "The process that read the pictures was ended. Try again, or with fewer at once."
        raise Problem(503, "reading-ended", detail)
    told = json.loads(head)
    if "error" in told:
        raise ValueError(told["error"])
    rows = np.frombuffer(rest, np.uint8).reshape(-1, ROW)
    trained = len(told["labels"][TRAIN])
    return Folders(told["labels"], {TRAIN: rows[:trained], TEST: rows[trained:]}, told["left_out"])


def read_folders(names: Sequence[str], read: Callable[[str], bytes], asked_by: int) -> Folders:
    """Return the pictures of folders named by their label; those below ``test`` are to test.

    Raises SystemExit where the process that asked, the parent, is gone.
    """
    labels: dict[str, list[str]] = {TRAIN: [], TEST: []}
    pixels: dict[str, list[Pixels]] = {TRAIN: [], TEST: []}
    left_out = []
    for name in names:
        if os.getppid() != asked_by:
            raise SystemExit("The process that asked for these pictures is gone.")
        folders = PurePosixPath(name).parts[:-1]
        if not folders:
            reason = "It lies in no folder; a folder's name is the label."
            left_out.append({"file": name[:200], "reason": reason})
            continue
        part = TEST if TEST in map(str.lower, folders[:-1]) else TRAIN
        try:
            picture = read_picture(open_picture(read(name)))
        except Problem as problem:
            left_out.append({"file": name[:200], "reason": problem.detail})
            continue
        pixels[part].append(picture.pixels.reshape(ROW))
        labels[part].append(folders[-1])
    stacked = {part: np.array(rows, np.uint8).reshape(-1, ROW) for part, rows in pixels.items()}
    return Folders(labels, stacked, left_out)


def main() -> None:
    """Be the process: who asks and names, a line of JSON, and a zip in; JSON and pixels out."""
    os.nice(NICENESS)
    head, _, body = sys.stdin.buffer.read().partition(b"\n")
    asked_by, *names = json.loads(head)
    out = sys.stdout.buffer
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            found = read_folders(names, archive.read, asked_by)
    except Exception as error:  # zipfile hands on what its decompressors say
        out.write(_line({"error": str(error)}))
    else:
        out.write(_line({"labels": found.labels, "left_out": found.left_out}))
        for part in (TRAIN, TEST):
            out.write(found.pixels[part].tobytes())


def _line(value: Any) -> bytes:
    return json.dumps(value).encode() + b"\n"


if __name__ == "__main__":
    main()
