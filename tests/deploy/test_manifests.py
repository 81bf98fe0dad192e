"""The renders of deploy/k8s: what each pod is, may and is asked."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest
import yaml

from support.house import ROOT
from support.manifests import (
    K8S,
    configuration,
    documents,
    objects,
    only_container,
    pod,
    ports_of,
    settings_of,
    workloads,
)
from voxgate_gateway.settings import checked_gateway
from voxgate_remotes.config import parse_remotes
from voxgate_serving.settings import ServerSettings, parse_server

RENDERS = ("base", "dev", "one-replica", "prod", "workstation")
GRPC = ("mesh", "transfer", "volume")
DASK = ("dask-scheduler", "dask-worker")
POSTGRES = 999


def arguments_of(workload):
    """What "--name=value" says, by "--name"."""
    return dict(each.split("=", 1) for each in only_container(workload).get("args", []) if "=" in each)


def every_workload():
    return [(render, name) for render in RENDERS for name in workloads(render)]


def secrets_of(workload):
    return {volume["secret"]["secretName"] for volume in pod(workload)["volumes"] if "secret" in volume}


def mounts_of(workload):
    return {mount["mountPath"]: mount.get("readOnly", False) for mount in only_container(workload)["volumeMounts"]}


def test_there_is_a_render_of_every_overlay_and_of_no_other():
    overlays = {folder.name for folder in (K8S / "overlays").iterdir()}
    assert {"base", *overlays} == set(RENDERS) == {file.stem for file in (K8S / "rendered").iterdir()}


def test_every_component_is_in_some_overlay():
    texts = [file.read_text() for file in K8S.glob("*/**/kustomization.yaml")]
    named = {name for text in texts for name in re.findall(r"\.\./components/([a-z-]+)", text)}
    assert named == {folder.name for folder in (K8S / "components").iterdir()}


@pytest.mark.parametrize("render", RENDERS)
def test_every_service_is_headless_and_its_ports_are_its_pods(render):
    services, deployments = objects(render, "Service"), workloads(render)
    assert set(services) == set(deployments) - {"dask-worker"}  # which the scheduler is told of
    for name, service in services.items():
        assert service["spec"]["clusterIP"] == "None"
        assert service["spec"]["selector"] == {"app.kubernetes.io/name": name}
        assert deployments[name]["spec"]["template"]["metadata"]["labels"]["app.kubernetes.io/name"] == name
        for port in service["spec"]["ports"]:
            # Clients of a headless service meet the pods themselves: another port than theirs would lead nowhere.
            assert port["port"] == ports_of(deployments[name])[port["targetPort"]]


@pytest.mark.parametrize("render", RENDERS)
def test_ports_are_those_that_the_servers_listen_at(render):
    dockerfile = (ROOT / "deploy/docker/Dockerfile").read_text()
    for name in GRPC:
        stage = dockerfile.partition(f" AS {name}\n")[2]
        command = re.search(r"^CMD (\[.*\])$", stage, re.MULTILINE)
        told = dict(zip(*[iter(yaml.safe_load(command.group(1)))] * 2, strict=True))
        workload = workloads(render)[name]
        assert told["--config"] == "/etc/voxgate/voxgate.toml"
        assert ports_of(workload) == {
            "grpc": int(told["--port"]),
            "health": int(told["--health-port"]),
            "metrics": int(settings_of(workload)["VOXGATE_METRICS_PORT"]),
        }
    told = arguments_of(workloads(render)["gateway"])
    assert told["--config"] == "/etc/voxgate/voxgate.toml"
    assert ports_of(workloads(render)["gateway"]) == {
        "http": int(told["--port"]),
        "metrics": int(told["--metrics-port"]),
    }
    backend = re.fullmatch(r"dns:///volume(-pod-0)?:(\d+)", told["--backend"])
    assert int(backend.group(2)) == ports_of(workloads(render)["volume"])["grpc"]


@pytest.mark.parametrize("render", ["dev", "prod"])
def test_dasks_ports_are_those_of_its_arguments(render):
    scheduler, worker = (only_container(workloads(render)[name])["args"] for name in DASK)
    assert "--host=tls://0.0.0.0:8786" in scheduler
    assert ports_of(workloads(render)["dask-scheduler"]) == {"scheduler": 8786}
    assert configuration(render)["server"]["scheduler"] == worker[0] == "tls://dask-scheduler:8786"
    assert f"--worker-port={ports_of(workloads(render)['dask-worker'])['worker']}" in worker


@pytest.mark.parametrize(("render", "name"), every_workload())
def test_probes_ask_a_port_of_the_container_by_the_names_that_servers_answer_to(render, name):
    container = only_container(workloads(render)[name])
    ports = ports_of(workloads(render)[name])
    probes = {kind: container[f"{kind}Probe"] for kind in ("startup", "liveness", "readiness")}
    if name in GRPC:
        asked = {kind: (probe["grpc"]["port"], probe["grpc"]["service"]) for kind, probe in probes.items()}
        health = ports["health"]
        assert asked == {"startup": (health, "live"), "liveness": (health, "live"), "readiness": (health, "ready")}
    elif name == "gateway":
        assert {probe["httpGet"]["port"] for probe in probes.values()} == {"http"}
        assert probes["readiness"]["httpGet"]["path"] == "/readyz"
    elif name == "postgres":
        assert all(probe["exec"]["command"][0] == "pg_isready" for probe in probes.values())
    else:
        assert {probe["tcpSocket"]["port"] for probe in probes.values()} == set(ports)


@pytest.mark.parametrize(("render", "name"), every_workload())
def test_every_pod_is_restricted_and_drains_before_it_is_killed(render, name):
    spec, container = pod(workloads(render)[name]), only_container(workloads(render)[name])
    assert spec["automountServiceAccountToken"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["runAsUser"] == (POSTGRES if name == "postgres" else 65532)
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "runAsNonRoot": True,
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert mounts_of(workloads(render)[name])["/tmp"] is False
    assert {"cpu", "memory"} <= set(container["resources"]["requests"])
    assert "memory" in container["resources"]["limits"]
    told = settings_of(workloads(render)[name]).get("VOXGATE_GRACE_S", "0")
    grace = arguments_of(workloads(render)[name]).get("--grace-s", told)
    assert (float(grace) > 0) == (name in (*GRPC, "gateway"))
    assert container["lifecycle"]["preStop"]["sleep"]["seconds"] + float(grace) < spec["terminationGracePeriodSeconds"]


@pytest.mark.parametrize(("render", "name"), every_workload())
def test_what_opens_stores_mounts_the_same_data_and_the_gateway_has_neither_data_nor_secrets(render, name):
    workload = workloads(render)[name]
    kinds = {key for volume in pod(workload)["volumes"] for key in volume if key != "name"}
    if name == "gateway":
        assert kinds == {"emptyDir", "configMap"}
    if name in (*GRPC, "dask-worker"):
        mounts = mounts_of(workload)
        assert mounts["/data"] is mounts["/etc/voxgate"] is True
        assert mounts["/scratch"] is False
    assert all(mounts_of(workload)[path] for path in mounts_of(workload) if path.startswith("/run/secrets/"))


@pytest.mark.parametrize("render", RENDERS)
def test_the_configuration_in_the_render_is_one_that_servers_accept(render, tmp_path):
    document = configuration(render)
    settings = parse_server(document["server"], {})
    remotes = parse_remotes(document["remotes"], tmp_path).remotes
    assert settings.mesh_address
    assert settings.transfer_address
    folders = {name: remote for name, remote in remotes.items() if remote.uri.startswith("file:")}
    for remote in folders.values():
        assert remote.uri.startswith("file:///scratch" if remote.writable else "file:///data")
    mounted = mounts_of(workloads(render)["mesh"])
    named = [remote.credentials.token_file for remote in remotes.values() if remote.credentials.token_file]
    named += [settings.scheduler_tls_ca, settings.scheduler_tls_cert, settings.scheduler_tls_key]
    for file in filter(None, named):
        assert file.rpartition("/")[0] in mounted
    assert checked_gateway(document.get("gateway", {}))[1] == []
    for name in GRPC:
        stated = {key.removeprefix("VOXGATE_").lower() for key in settings_of(workloads(render)[name])}
        assert stated <= ServerSettings.model_fields.keys()


def test_the_base_takes_no_writes_from_strangers():
    assert not any(remote.get("writable") for remote in configuration("base")["remotes"].values())
    for workload in workloads("base").values():
        assert "VOXGATE_ALLOW_UNAUTHENTICATED_WRITES" not in settings_of(workload)


@pytest.mark.parametrize("render", ["dev", "one-replica", "prod", "workstation"])
def test_who_runs_jobs_shares_their_records_and_takes_writes(render):
    stated = configuration(render)["server"]
    addresses = set()
    for name in ("mesh", "transfer"):
        settings = settings_of(workloads(render)[name])
        assert settings["VOXGATE_ALLOW_UNAUTHENTICATED_WRITES"] == "true"
        addresses.add(settings.get("VOXGATE_JOBS_URL") or stated["jobs_url"])
        if "jobs_url" in stated:
            assert settings["VOXGATE_JOBS_PASSWORD_FILE"] == "/run/secrets/voxgate-jobs/password"
            assert secrets_of(workloads(render)[name]) >= {"voxgate-jobs", "dask-client"}
    assert len(addresses) == 1
    assert "VOXGATE_ALLOW_UNAUTHENTICATED_WRITES" not in settings_of(workloads(render)["gateway"])


def test_secrets_are_files_and_only_of_those_who_need_them():
    assert {name: secrets_of(workload) for name, workload in workloads("prod").items()} == {
        "dask-scheduler": {"dask-scheduler"},
        "dask-worker": {"dask-worker", "voxgate-stores"},
        "gateway": set(),
        "mesh": {"voxgate-jobs", "voxgate-stores", "dask-client"},
        "transfer": {"voxgate-jobs", "voxgate-stores", "dask-client"},
        "volume": {"voxgate-stores"},
    }
    issued = {each["spec"]["secretName"] for each in objects("prod", "Certificate").values()}
    assert issued == {"dask-ca", "dask-scheduler", "dask-worker", "dask-client", "voxgate-edge"}


def test_prod_scales_spreads_and_ranks_what_people_wait_for():
    scaled = objects("prod", "HorizontalPodAutoscaler")
    assert {each["spec"]["scaleTargetRef"]["name"] for each in scaled.values()} == {"volume", "mesh", "gateway"}
    assert set(objects("prod", "PodDisruptionBudget")) == {*GRPC, "gateway"}
    classes = {name: each["value"] for name, each in objects("prod", "PriorityClass").items()}
    for name, workload in workloads("prod").items():
        # Whose replicas are the autoscaler's states none: each `apply` would scale it back.
        assert ("replicas" in workload["spec"]) == (name not in scaled)
        ranked = classes[pod(workload)["priorityClassName"]]
        assert (ranked > 0) == (name in scaled)
        if name in scaled:
            (spread,) = pod(workload)["topologySpreadConstraints"]
            assert spread["labelSelector"]["matchLabels"] == {"app.kubernetes.io/name": name}


def test_one_replica_publishes_on_loopback_only_and_addresses_what_it_publishes():
    published = {}
    for name, deployment in workloads("one-replica").items():
        assert deployment["spec"]["replicas"] == 1
        for port in only_container(deployment)["ports"]:
            assert port["hostIP"] == "127.0.0.1"
            published[f"{name} {port['name']}"] = port["hostPort"]
    assert len(set(published.values())) == len(published)
    server = configuration("one-replica")["server"]
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
def test_every_render_satisfies_schemas_and_policies_and_the_dockerfiles_their_linter():
    done = validate()
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.full
@pytest.mark.parametrize(
    "mistake",
    [
        ("kind: Deployment", "kind: Deploymint"),
        ("replicas:", "replicaz:"),
        ("kind: GRPCRoute", "kind: GRPCRoad"),
        ("method: GetServerInfo", "methud: GetServerInfo"),
        ("scrapeTimeout:", "scrapeTimeOut:"),
        ("issuerRef:", "issuer:"),
        ("readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false"),
    ],
)
def test_a_misspelt_kind_or_field_and_a_pod_that_may_too_much_fail_the_validation(tmp_path, mistake):
    bad, text = tmp_path / "bad.yaml", (K8S / "rendered/prod.yaml").read_text()
    assert mistake[0] in text
    bad.write_text(text.replace(*mistake))
    assert validate(bad).returncode != 0


@pytest.mark.parametrize("render", RENDERS)
def test_no_secret_is_checked_in_and_nothing_runs_that_is_not_looked_at_here(render):
    kinds = {each["kind"] for each in documents(render)}
    assert not kinds & {"Secret", "DaemonSet", "Job", "CronJob", "Pod", "ReplicaSet", "Role", "ClusterRole"}
