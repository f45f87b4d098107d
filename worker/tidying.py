"""What nobody needs any more is removed from the store."""

from collections.abc import Callable

from jobs.records import KEPT_SECONDS
from nncore.leftovers import remove_leftovers
from nncore.object_store import Store
from worker.job_folder import open_job, untouched_jobs


def tidy(store: Store, knows: Callable[[str], bool]) -> None:
    """Remove what ended jobs keep whose records have gone, and what dead processes left.

    A job whose record has gone can no longer be resumed. That it has changed nothing for as long as
    records are kept is asked besides: jobs of another Redis, or of one that has lost all, may have
    the same store.

    Parameters
    ----------
    store : Store
    knows : callable
        Tells whether there is a record of a job.

    Raises OSError.
    """
    untouched = untouched_jobs(store)
    gone = {
        job_id
        for job_id, seconds in untouched.items()
        if seconds > KEPT_SECONDS and not knows(job_id)
    }
    for job_id in gone:
        open_job(store, job_id, "").remove()
    remove_leftovers(store, untouched.keys() - gone)
