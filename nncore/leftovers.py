"""What processes left in the store that died while they wrote."""

from collections.abc import Collection

from nncore.dataset_files import DatasetObjects
from nncore.durable import remove_staged
from nncore.model_objects import ModelObjects
from nncore.object_store import ObjectStore, Store

STALE_SECONDS = 24 * 3600  # longer than anybody takes to write


def remove_leftovers(store: Store, jobs: Collection[str]) -> None:
    """Remove what is left of writing that did not come to its end, and never will.

    `jobs` are those that may still go on: what they have put into a bucket is kept. On a disk they
    stage anew. Raises OSError.
    """
    if not isinstance(store, ObjectStore):
        remove_staged(store, STALE_SECONDS)
        return
    for model in store.names("models"):
        ModelObjects(store, f"models/{model}").remove_unfinished(STALE_SECONDS, jobs)
    DatasetObjects(store).remove_unfinished(STALE_SECONDS)
