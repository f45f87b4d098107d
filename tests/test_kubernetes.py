"""deploy/kubernetes: what the API server would refuse, and names that must be those of the code."""

import re
import shutil
import subprocess
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from service.settings import Settings
from tests.stack import ROOT
from worker.settings import Settings as WorkerSettings

FOLDER = ROOT / "deploy" / "kubernetes"
KUBERNETES = "1.31"
# These are the operators' own: their schemas are in the cluster.
CUSTOM = {"Redis", "ScaledObject", "TriggerAuthentication"}

KUSTOMIZATION = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())
OBJECTS = [
    one
    for name in KUSTOMIZATION["resources"]
    for one in yaml.safe_load_all((FOLDER / name).read_text())
]
PODS = {one["metadata"]["name"]: one["spec"] for one in OBJECTS if one["kind"] == "Deployment"}


def named(kind, name):
    (found,) = (o for o in OBJECTS if o["kind"] == kind and o["metadata"]["name"] == name)
    return found


def container(name):
    (found,) = PODS[name]["template"]["spec"]["containers"]
    return found


@pytest.mark.parametrize("one", OBJECTS, ids=lambda o: f"{o['kind']}-{o['metadata']['name']}")
def test_an_object_is_as_its_schema_wants_it(one):
    if one["kind"] in CUSTOM:
        with pytest.raises(kubernetes_validate.SchemaNotFoundError):
            kubernetes_validate.validate(one, KUBERNETES, strict=True)
    else:
        kubernetes_validate.validate(one, KUBERNETES, strict=True)


def test_every_file_is_applied():
    files = {file.name for file in FOLDER.iterdir()} - {"kustomization.yaml"}

    assert set(KUSTOMIZATION["resources"]) == files


def test_kustomize_puts_all_together():
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not there")
    built = subprocess.run(
        ["kubectl", "kustomize", FOLDER], check=True, capture_output=True, text=True
    ).stdout
    objects = list(yaml.safe_load_all(built))

    assert len(objects) == len(OBJECTS) + len(KUSTOMIZATION["configMapGenerator"])
    assert {one["metadata"]["namespace"] for one in objects} == {"inkwell"}
    assert "image: registry.example.com/inkwell:" in built


@pytest.mark.parametrize("name", PODS)
def test_a_pod_runs_as_the_images_user_and_may_do_nothing_else(name):
    user = re.search(r"^USER (\d+):(\d+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    pod = PODS[name]["template"]["spec"]["securityContext"]

    assert (pod["runAsUser"], pod["runAsGroup"]) == tuple(map(int, user.groups()))
    assert pod["runAsNonRoot"]
    assert container(name)["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert {"requests", "limits"} == set(container(name)["resources"])


@pytest.mark.parametrize("name", PODS)
def test_a_pod_is_given_only_settings_that_there_are(name):
    known = set(re.findall(r"INKWELL_\w+", (ROOT / "README.md").read_text()))
    literals = KUSTOMIZATION["configMapGenerator"][0]["literals"]
    given = {entry["name"] for entry in container(name)["env"]}
    given |= {literal.partition("=")[0] for literal in literals}

    of_the_bucket = {"AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}
    assert of_the_bucket <= given
    assert given - of_the_bucket - {"REDIS_PASSWORD"} <= known
    mounts = {mount["mountPath"] for mount in container(name)["volumeMounts"]}
    assert mounts == {"/tmp"}  # noqa: S108 - in the container


@pytest.mark.parametrize("settings", [Settings, WorkerSettings])
def test_the_store_is_a_bucket_that_services_and_workers_share(settings):
    literals = KUSTOMIZATION["configMapGenerator"][0]["literals"]
    given = dict(literal.split("=", 1) for literal in literals)

    store = settings.from_env(given | {"INKWELL_ADMIN_TOKEN": "token"}).store

    assert store.url == given["INKWELL_STORE"] == "s3://example-bucket/inkwell"


def test_a_stop_gives_time_to_drain_and_then_to_running_requests():
    conf = (ROOT / "service" / "gunicorn.conf.py").read_text()
    graceful = int(re.search(r"^graceful_timeout = (\d+)", conf, re.MULTILINE)[1])
    environ = {entry["name"]: entry.get("value", "") for entry in container("service")["env"]}
    drain = Settings.from_env({"INKWELL_DRAIN_SECONDS": environ["INKWELL_DRAIN_SECONDS"]})

    grace = PODS["service"]["template"]["spec"]["terminationGracePeriodSeconds"]
    assert grace > drain.drain_seconds + graceful


def test_workers_are_scaled_by_the_sum_of_what_is_counted():
    scaled = named("ScaledObject", "worker")["spec"]
    counted = {trigger["name"] for trigger in scaled["triggers"]}

    assert set(scaled["advanced"]["scalingModifiers"]["formula"].split(" + ")) == counted
    assert scaled["scaleTargetRef"]["name"] in PODS


@pytest.mark.parametrize("kind", ["Service", "PodDisruptionBudget", "HorizontalPodAutoscaler"])
def test_what_belongs_to_the_service_finds_its_pods(kind):
    spec = named(kind, "service")["spec"]
    labels = PODS["service"]["template"]["metadata"]["labels"]
    selector = spec.get("selector", {})

    if kind == "HorizontalPodAutoscaler":
        assert spec["scaleTargetRef"]["name"] == "service"
    else:
        assert selector.get("matchLabels", selector) == labels


def test_the_document_tells_how_to_make_the_secret_that_all_name():
    keys = set(re.findall(r"name: inkwell, key: ([\w-]+)", "".join(map(read, FOLDER.iterdir()))))
    keys.add(named("Redis", "redis")["spec"]["kubernetesConfig"]["redisSecret"]["key"])
    document = (ROOT / "docs" / "scaling.md").read_text()

    assert set(re.findall(r"--from-literal=([\w-]+)=", document)) == keys


def read(file: Path):
    return file.read_text()
