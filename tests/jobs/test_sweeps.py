"""Sweeps in Redis: what is refused, how one goes on, whoever brings it on. No training."""

import itertools

import pytest
from rq.job import JobStatus

from jobs.idempotency import Idempotency, KeyReusedError
from jobs.sweep_request import SweepRequest, read_sweep, with_parameters
from jobs.sweeps import Sweeps, is_hopeless
from nncore.errors import ConfigError

pytestmark = pytest.mark.integration

BASE = {"model": "digits", "dataset": "digits", "epochs": 4}
SIZES = {"base": BASE, "grid": {"batch_size": [16, 32, 64]}}


def grid(request):
    names = sorted(request.space)
    points = itertools.product(*(request.space[name] for name in names))
    return [dict(zip(names, point, strict=True)) for point in points]


@pytest.fixture
def sweeps(redis):
    return Sweeps(redis, "training")


@pytest.fixture
def post_sweep(sweeps, tmp_path):
    return lambda **body: sweeps.post(read_sweep(SIZES | body, tmp_path)).sweep.id


@pytest.fixture
def tend(sweeps):
    """Bring all sweeps on; return the jobs of which nothing needs to be kept."""

    def tend():
        forgotten = []
        sweeps.tend(grid, forgotten.append)
        return forgotten

    return tend


@pytest.fixture
def run_job(executions, redis, queue):
    """Let a job have run, with that validation accuracy; None: it failed."""

    def run_job(job_id, accuracy):
        redis.lrem("rq:queue:training", 1, job_id)
        begun = executions.begin(job_id, "w")
        if accuracy is None:
            executions.fail(*begun, "As the test has it.")
        else:
            reached = {"epoch": 4, "validation_accuracy": accuracy, "validation_loss": 1, "loss": 1}
            executions.finish(*begun, reached)

    return run_job


def errors_of(body, tmp_path):
    with pytest.raises(ConfigError) as caught:
        read_sweep(body, tmp_path)
    return {error.pointer for error in caught.value.errors}


@pytest.mark.parametrize(
    ("changed", "pointers"),
    [
        ({"grid": None}, {""}),
        ({"random": {"seed": [1]}, "trials": 1}, {""}),
        ({"grid": {}}, {"/grid"}),
        ({"grid": {"epochs": []}}, {"/grid/epochs"}),
        ({"grid": {"epochs": 3}}, {"/grid/epochs"}),
        ({"grid": {"epochs": [1, 0, "x"]}}, {"/grid/epochs/1", "/grid/epochs/2"}),
        ({"grid": {"epoch": [1]}}, {"/grid/epoch/0"}),
        ({"grid": {"epochs.x": [1]}}, {"/grid/epochs.x/0"}),
        ({"grid": {"network.9.units": [1]}}, {"/grid/network.9.units/0"}),
        ({"grid": {"preset": ["lenet"]}}, {"/grid/preset/0"}),
        ({"grid": {"start_from": ["live"]}}, {"/grid/start_from/0"}),
        ({"grid": {"seed": [*range(40)], "epochs": [*range(1, 40)]}}, {"/grid"}),
        ({"trials": 3}, {"/trials"}),
        ({"metric": "accuracy"}, {"/metric"}),
        ({"seed": -1}, {"/seed"}),
        ({"base": BASE | {"epochs": 0, "models": "m"}}, {"/base/epochs", "/base/models"}),
        ({"base": BASE | {"validation_fraction": 0}}, {"/base/validation_fraction"}),
        ({"space": {}}, {"/space"}),
    ],
)
def test_a_sweep_that_cannot_be_is_told_where_it_is_wrong(tmp_path, changed, pointers):
    body = {key: value for key, value in (SIZES | changed).items() if value is not None}

    assert errors_of(body, tmp_path) == pointers


@pytest.mark.parametrize(
    ("changed", "pointers"),
    [
        ({"trials": None}, {"/trials"}),
        ({"trials": 0}, {"/trials"}),
        ({"random": {"l2": {"low": 1, "high": 0}}}, {"/random/l2/high"}),
        ({"random": {"l2": {"low": 0, "high": 1, "log": True}}}, {"/random/l2/low"}),
        ({"random": {"l2": {"low": 0}}}, {"/random/l2/high"}),
        ({"random": {"batch_size": {"low": 0.5, "high": 9}}}, {"/random/batch_size"}),
    ],
)
def test_a_random_sweep_that_cannot_be_is_told_where_it_is_wrong(tmp_path, changed, pointers):
    body = {"base": BASE, "random": {"l2": {"low": 0, "high": 1}}, "trials": 3} | changed

    assert errors_of(body, tmp_path) == pointers


def test_parameters_reach_inside_and_what_is_outside_goes_first():
    config = {"optimizer": {"type": "adam", "learning_rate": 1}, "network": [{"units": 1}]}

    changed = with_parameters(
        config,
        {
            "optimizer.learning_rate": 3,
            "optimizer": {"type": "sgd", "learning_rate": 2},
            "network.0.units": 5,
        },
    )

    assert changed["optimizer"] == {"type": "sgd", "learning_rate": 3}
    assert changed["network"] == [{"units": 5}]
    assert config["network"] == [{"units": 1}]


def test_a_sweep_makes_its_trials_takes_the_best_and_lets_it_publish(
    sweeps, queue, post_sweep, tend, run_job
):
    sweep_id = post_sweep()
    assert sweeps.get(sweep_id).status == "waiting"
    tend()
    tend()
    running = sweeps.get(sweep_id)
    jobs = [queue.get(job_id) for job_id in running.job_ids]
    assert [job.config["batch_size"] for job in jobs] == [16, 32, 64]
    assert all(job.status is JobStatus.QUEUED and not job.publishes for job in jobs)

    for job, accuracy in zip(jobs, (0.5, 0.9, 0.9), strict=True):
        assert tend() == []
        run_job(job.id, accuracy)
    tend()
    tend()
    best = queue.get(jobs[1].id)
    assert (sweeps.get(sweep_id).status, sweeps.get(sweep_id).best) == ("publishing", best.id)
    assert (best.status, best.publishes) == (JobStatus.QUEUED, True)

    run_job(best.id, 0.9)
    assert tend() == running.job_ids
    ended = sweeps.get(sweep_id)
    assert (ended.status, ended.error) == ("finished", None)
    assert [trial["reached"]["validation_accuracy"] for trial in ended.trials] == [0.5, 0.9, 0.9]
    assert ended.ended_at > ended.created_at
    assert tend() == []


def test_a_sweep_that_publishes_nothing_ends_with_its_best(sweeps, post_sweep, tend, run_job):
    sweep_id = post_sweep(publish=False, metric="loss")
    tend()
    for job_id, accuracy in zip(sweeps.get(sweep_id).job_ids, (0.5, None, 0.7), strict=True):
        run_job(job_id, accuracy)

    assert tend() == sweeps.get(sweep_id).job_ids
    ended = sweeps.get(sweep_id)
    assert (ended.status, ended.best) == ("finished", ended.job_ids[0])  # equal: the first


def test_a_sweep_none_of_whose_trials_ended_well_has_failed(sweeps, post_sweep, tend, run_job):
    sweep_id = post_sweep()
    tend()
    for job_id in sweeps.get(sweep_id).job_ids:
        run_job(job_id, None)
    tend()

    ended = sweeps.get(sweep_id)
    assert (ended.status, ended.error) == ("failed", "None of the trials ended well.")


def test_a_best_trial_that_fails_to_publish_fails_the_sweep(
    sweeps, queue, post_sweep, tend, run_job
):
    sweep_id = post_sweep(grid={"batch_size": [16]})
    tend()
    (job_id,) = sweeps.get(sweep_id).job_ids
    run_job(job_id, 0.5)
    tend()
    tend()
    run_job(job_id, None)
    tend()

    ended = sweeps.get(sweep_id)
    assert ended.status == "failed"
    assert ended.error == "The best trial could not be published: As the test has it."


def test_values_that_do_not_go_together_make_a_trial_that_never_runs(
    sweeps, queue, post_sweep, tend, run_job
):
    wide = [
        {"type": "reshape", "shape": [1, 28, 28]},
        {"type": "conv2d", "filters": 300, "kernel_size": 3, "padding": 1},
        "flatten",
        {"type": "dense", "units": 10},
    ]
    narrow = [{"type": "dense", "units": 10}]
    sweep_id = post_sweep(grid={"batch_size": [64, 1437], "network": [narrow, wide]})
    tend()
    *good, bad = sweeps.get(sweep_id).trials
    for trial in good:
        run_job(trial["job"], 0.5)
    tend()

    assert "/batch_size: Expected at most" in bad["error"]
    assert sweeps.get(sweep_id).status == "publishing"


def test_a_sweep_that_is_stopped_stops_its_trials(sweeps, queue, executions, post_sweep, tend):
    sweep_id = post_sweep()
    tend()
    first, *waiting = sweeps.get(sweep_id).job_ids
    begun = executions.begin(first, "w")

    sweeps.stop(sweep_id)
    assert queue.get(first).stop_requested
    assert {queue.get(job_id).status for job_id in waiting} == {JobStatus.CANCELED}
    assert sweeps.get(sweep_id).status == "stopping"
    executions.give_back(*begun, "It was asked to stop.")

    assert tend() == [first, *waiting]
    assert sweeps.get(sweep_id).status == "stopped"
    assert sweeps.stop(sweep_id) is None


def test_a_sweep_that_is_stopped_before_it_began_makes_no_trials(sweeps, post_sweep, tend, queue):
    sweep_id = post_sweep()
    sweeps.stop(sweep_id)
    tend()

    assert sweeps.get(sweep_id).status == "stopped"
    assert queue.page(limit=5, cursor=None, status=None, model=None).jobs == []


def test_a_sweep_that_cannot_be_read_leaves_the_others_going_on(sweeps, post_sweep, tend, redis):
    ids = [post_sweep() for _ in range(4)]
    redis.set(f"inkwell:training:sweeps:sweep:{ids[1]}", '{"of": "another time"}')
    redis.set(f"inkwell:training:sweeps:sweep:{ids[2]}", "{")
    tend()

    assert [sweeps.get(ids[n]).status for n in (0, 3)] == ["running", "running"]


def test_a_sweep_is_begun_once_a_key(sweeps, tmp_path):
    request = read_sweep(SIZES, tmp_path)

    first, again = (sweeps.post(request, Idempotency("k", "body")) for _ in range(2))
    other = sweeps.post(request, Idempotency("another", "body"))

    assert (first.is_new, again.is_new, other.is_new) == (True, False, True)
    assert again.sweep == first.sweep != other.sweep
    with pytest.raises(KeyReusedError):
        sweeps.post(request, Idempotency("k", "another body"))
    assert len(sweeps.page(limit=9, cursor=None)[0]) == 2


def test_sweeps_are_listed_newest_first_in_pages(sweeps, post_sweep):
    ids = [post_sweep() for _ in range(3)]

    first, cursor = sweeps.page(limit=2, cursor=None)
    rest, end = sweeps.page(limit=2, cursor=cursor)

    assert [sweep.id for sweep in first + rest] == ids[::-1]
    assert end is None


def test_a_hopeless_trial_is_below_the_median_of_what_the_others_had_on_average():
    others = [[0.5, 0.6, 0.7, 0.8], [0.5, 0.5, 0.5], [0.1, 0.2, 0.3]]

    assert is_hopeless([0.1, 0.2, 0.49], others)
    assert not is_hopeless([0.1, 0.2, 0.51], others)
    assert not is_hopeless([0.9, 0.1, 0.1], others)
    assert not is_hopeless([0.0, 0.0], others)  # too early to tell
    assert not is_hopeless([], [[], [], [], []])  # nobody has told anything yet
    assert not is_hopeless([0.0, 0.0, 0.0], others[:2])  # too few to compare with
    assert not is_hopeless([0.0, 0.0, 0.0, 0.0], others)  # only one has come so far


def test_hopeless_trials_that_run_are_stopped(sweeps, queue, executions, post_sweep, tend, redis):
    sweep_id = post_sweep(stop_hopeless=True, grid={"seed": [0, 1, 2, 3]})
    tend()
    ids = sweeps.get(sweep_id).job_ids
    for job_id in ids:
        executions.begin(job_id, "w")
    tend()
    for job_id, accuracy in zip(ids, (0.9, 0.8, 0.2, 0.7), strict=True):
        lines = [{"epoch": n, "validation_accuracy": accuracy} for n in (1, 2, 3)]
        executions.report(job_id, {"epoch": 3}, lines)
    tend()

    asked = [queue.get(job_id).stop_requested for job_id in ids]
    assert asked == [False, False, True, True]
    assert "Stopped as hopeless" in queue.get(ids[2]).story[-1]["event"]


def test_a_sweep_is_read_from_redis_as_it_was_written(sweeps, tmp_path):
    request = read_sweep(SIZES | {"seed": 3, "stop_hopeless": True}, tmp_path)

    assert isinstance(request, SweepRequest)
    assert sweeps.get(sweeps.post(request).sweep.id).request == request
