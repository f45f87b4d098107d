"""What a worker removes from the store between jobs."""

import os
import time

import pytest

from jobs.records import KEPT_SECONDS
from worker import tidying
from worker.job_folder import open_job, untouched_jobs
from worker.tidying import tidy


def keep(store, *job_ids):
    for job_id in job_ids:
        folder = open_job(store, job_id, "e")
        folder.take()
        folder.save(b"a checkpoint")


def test_what_a_job_kept_goes_when_its_record_has_gone_and_it_is_old(tmp_path):
    keep(tmp_path, "known", "gone", "young")
    before = time.time() - KEPT_SECONDS - 60
    for job_id in ("known", "gone"):
        os.utime(tmp_path / "jobs" / job_id, (before, before))

    tidy(tmp_path, lambda job_id: job_id == "known")

    assert untouched_jobs(tmp_path).keys() == {"known", "young"}
    assert open_job(tmp_path, "known", "e").load() == b"a checkpoint"


def test_so_it_is_in_a_bucket(bucket, monkeypatch):
    keep(bucket, "known", "gone")
    tidy(bucket, lambda job_id: False)
    assert untouched_jobs(bucket).keys() == {"known", "gone"}

    monkeypatch.setattr(tidying, "KEPT_SECONDS", -60)
    tidy(bucket, lambda job_id: job_id == "known")

    assert untouched_jobs(bucket).keys() == {"known"}


def test_a_job_that_writes_a_checkpoint_is_not_untouched(tmp_path):
    keep(tmp_path, "j")
    os.utime(tmp_path / "jobs" / "j", (0, 0))
    open_job(tmp_path, "j", "e").save(b"a later one")

    assert untouched_jobs(tmp_path)["j"] < KEPT_SECONDS


@pytest.mark.parametrize("folder", ["absent", "empty"])
def test_a_store_with_nothing_in_it_is_tidy(tmp_path, folder):
    (tmp_path / "empty").mkdir()

    tidy(tmp_path / folder, lambda job_id: False)

    assert not (tmp_path / "absent").exists()
