from __future__ import annotations

import shutil
import subprocess
import tomllib

import pytest
import yaml

from support.house import ROOT
from voxgate_remotes.config import parse_remotes
from voxgate_serving.settings import parse_server

K8S = ROOT / "deploy/k8s"
RENDERS = ("base", "one-replica")
GRPC = ("mesh", "transfer", "volume")


def objects(render: str, kind: str) -> dict[str, dict]:
    documents = yaml.safe_load_all((K8S / f"rendered/{render}.yaml").read_text())
    return {d["metadata"]["name"]: d for d in documents if d["kind"] == kind}


def pod(deployment: dict) -> dict:
    return deployment["spec"]["template"]["spec"]


def only_container(deployment: dict) -> dict:
    (container,) = pod(deployment)["containers"]
    return container


@pytest.mark.parametrize("render", RENDERS)
def test_every_service_has_a_deployment_and_a_headless_service_that_selects_it(render):
    deployments, services = objects(render, "Deployment"), objects(render, "Service")
    assert sorted(deployments) == sorted(services) == ["gateway", *GRPC]
    for name, service in services.items():
        assert service["spec"]["clusterIP"] == "None"
        labels = deployments[name]["spec"]["template"]["metadata"]["labels"]
        assert service["spec"]["selector"].items() <= labels.items()
        ports = {port["name"] for port in only_container(deployments[name])["ports"]}
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports


@pytest.mark.parametrize("render", RENDERS)
def test_grpc_services_are_probed_on_the_health_port_by_its_own_service_names(render):
    for name in GRPC:
        container = only_container(objects(render, "Deployment")[name])
        health = next(port["containerPort"] for port in container["ports"] if port["name"] == "health")
        probes = {kind: container[f"{kind}Probe"]["grpc"] for kind in ("startup", "liveness", "readiness")}
        assert {probe["port"] for probe in probes.values()} == {health}
        assert {kind: probe["service"] for kind, probe in probes.items()} == {
            "startup": "live",
            "liveness": "live",
            "readiness": "ready",
        }


@pytest.mark.parametrize("render", RENDERS)
def test_every_pod_is_restricted_and_drains_before_it_is_killed(render):
    for deployment in objects(render, "Deployment").values():
        spec, container = pod(deployment), only_container(deployment)
        assert spec["automountServiceAccountToken"] is False
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["runAsUser"] == 65532
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert {"cpu", "memory"} <= set(container["resources"]["requests"])
        assert "memory" in container["resources"]["limits"]
        settings = {entry["name"]: entry["value"] for entry in container.get("env", [])}
        arguments = container.get("args", [])
        told = settings.get("VOXGATE_GRACE_S") or arguments[arguments.index("--grace-s") + 1]
        grace = float(told)
        assert container["lifecycle"]["preStop"]["sleep"]["seconds"] + grace < spec["terminationGracePeriodSeconds"]


def test_only_the_gateway_has_neither_claim_nor_configuration():
    for name, deployment in objects("base", "Deployment").items():
        kinds = {key for volume in pod(deployment)["volumes"] for key in volume if key != "name"}
        expected = {"emptyDir"} if name == "gateway" else {"emptyDir", "configMap", "persistentVolumeClaim"}
        assert kinds == expected


@pytest.mark.parametrize("render", RENDERS)
def test_the_configuration_in_the_render_is_one_that_servers_accept(render, tmp_path):
    (config,) = objects(render, "ConfigMap").values()
    document = tomllib.loads(config["data"]["voxgate.toml"])
    settings = parse_server(document["server"], {})
    remotes = parse_remotes(document["remotes"], tmp_path).remotes
    assert settings.mesh_address
    assert settings.transfer_address
    assert all(remote.uri.startswith("file:///data") for remote in remotes.values())


def test_the_base_takes_no_writes_from_strangers():
    (config,) = objects("base", "ConfigMap").values()
    assert "writable" not in config["data"]["voxgate.toml"]
    for deployment in objects("base", "Deployment").values():
        names = {entry["name"] for entry in only_container(deployment).get("env", [])}
        assert "VOXGATE_ALLOW_UNAUTHENTICATED_WRITES" not in names


def test_one_replica_publishes_on_loopback_only_and_addresses_what_it_publishes():
    published = {}
    for name, deployment in objects("one-replica", "Deployment").items():
        assert deployment["spec"]["replicas"] == 1
        for port in only_container(deployment)["ports"]:
            assert port["hostIP"] == "127.0.0.1"
            published[f"{name} {port['name']}"] = port["hostPort"]
    assert len(set(published.values())) == len(published)
    (config,) = objects("one-replica", "ConfigMap").values()
    server = tomllib.loads(config["data"]["voxgate.toml"])["server"]
    assert server["mesh_address"] == f"localhost:{published['mesh grpc']}"
    assert server["transfer_address"] == f"localhost:{published['transfer grpc']}"


@pytest.mark.full
def test_the_renders_are_what_kustomize_makes_of_the_sources():
    if not (shutil.which("kubectl") or shutil.which("kustomize")):
        pytest.skip("neither kubectl nor kustomize is installed")
    done = subprocess.run(["bash", ROOT / "deploy/render.sh", "--check"], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def validate(*manifests: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", ROOT / "deploy/validate.sh", *map(str, manifests)], capture_output=True, text=True, timeout=280
    )


@pytest.mark.full
def test_every_render_satisfies_the_schemas_of_kubernetes_and_the_dockerfile_its_linter():
    done = validate()
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.full
@pytest.mark.parametrize("mistake", [("kind: Deployment", "kind: Deploymint"), ("replicas:", "replicaz:")])
def test_a_misspelt_kind_or_field_fails_the_validation(tmp_path, mistake):
    bad = tmp_path / "bad.yaml"
    bad.write_text((K8S / "rendered/base.yaml").read_text().replace(*mistake))
    assert validate(bad).returncode != 0
