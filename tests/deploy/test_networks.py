"""Who may connect to whom in deploy/k8s: NetworkPolicies against configurations, edges against the contract."""

from __future__ import annotations

import re

import pytest

from support.house import ROOT
from support.manifests import K8S, Network, objects, ports_of, settings_of, workloads
from voxgate.wire import contract
from voxgate_serving.settings import load_configuration
from voxgate_standalone.egress import edges_of

CLOSED = ("dev", "one-replica", "prod", "workstation")
SERVICES = ("volume", "mesh", "transfer")
EDGES = {"dev": "ingress-nginx", "prod": "envoy-gateway-system", "workstation": "kube-system"}
METHODS = {f"{method.containing_service.full_name}/{method.name}" for method in contract.method_descriptors()}
READS = re.compile(r".*/(Get|List|Lookup|Read|Resolve|Export|Watch)[A-Za-z]*")
WRITES = re.compile(r".*/(Set|Delete|Commit|Create|Branch|Write|Start|Reserve|Cancel|Resume)[A-Za-z]*")
OF_JOBS = re.compile(r"voxgate\.v1\.(Job|Transfer)Service/.*")


def asked_for(render):
    """What `voxgate config egress` says of an overlay's file: (who, host, port), for those who are in the render."""
    file = K8S / f"overlays/{render}/voxgate.toml"
    there = workloads(render)
    edges = edges_of(load_configuration(file, {}), {})
    return {(who, edge.host, edge.port) for edge in edges for who in edge.services if who in there}


@pytest.mark.parametrize("render", ["dev", "prod", "workstation"])
def test_within_the_namespace_connects_who_has_to_and_nobody_else(render):
    there = workloads(render)
    configured = {edge for edge in asked_for(render) if edge[1] in there}
    fixed = {("gateway", "volume", 50051), *(("client", name, 50051) for name in SERVICES)}
    if "dask-worker" in there:
        fixed |= {("dask-scheduler", "dask-worker", 8788), ("dask-worker", "dask-worker", 8788)}
    assert configured >= {("gateway", "mesh", 50051), ("gateway", "transfer", 50051)}
    assert Network(render).inside() == configured | fixed


@pytest.mark.parametrize("render", ["dev", "prod", "workstation"])
def test_beyond_the_namespace_pods_reach_what_the_configuration_names_and_no_more(render):
    network, there = Network(render), workloads(render)
    wanted: dict[str, set[tuple[str, int]]] = {name: set() for name in there}
    for who, host, port in asked_for(render):
        if host not in there:
            inner = re.fullmatch(r"[a-z0-9-]+\.([a-z0-9-]+)\.svc", host)
            wanted[who].add((inner.group(1) if inner else "public", port))
    assert {name: network.outward(name) for name in there} == wanted
    if render == "prod":
        assert wanted["mesh"] == {("public", 443), ("dvid", 8000), ("databases", 5432)}
        assert wanted["gateway"] == set()


def test_public_addresses_are_neither_private_ones_nor_a_clouds_metadata():
    rules = [
        peer["ipBlock"]
        for policy in objects("prod", "NetworkPolicy").values()
        for rule in policy["spec"].get("egress", [])
        for peer in rule["to"]
        if "ipBlock" in peer
    ]
    assert rules
    for block in rules:
        assert {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16"} <= set(block["except"])


@pytest.mark.parametrize("render", CLOSED)
def test_everything_is_denied_that_is_not_allowed(render):
    denied = objects(render, "NetworkPolicy")["default-deny"]["spec"]
    assert denied == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    assert Network(render).outward("stranger") == set()


@pytest.mark.parametrize(("render", "namespace"), EDGES.items())
def test_from_outside_the_edge_reaches_what_it_routes_and_monitoring_the_metrics(render, namespace):
    network = Network(render)
    scraped = {"gateway": 8081} | dict.fromkeys(SERVICES, 50053) if render == "prod" else {}
    routed = {"gateway": 8080, "volume": 50051, "mesh": 50051}
    for name, workload in workloads(render).items():
        expected = {(namespace, routed[name])} if name in routed else set()
        # One policy opens both ports of metrics; each pod listens at one.
        found = {(source, port) for source, port in network.inward(name) if port in ports_of(workload).values()}
        assert found == expected | ({("monitoring", scraped[name])} if name in scraped else set())


def test_every_port_of_a_policy_is_one_that_its_pods_listen_at():
    for render in CLOSED:
        listened = {port for each in workloads(render).values() for port in ports_of(each).values()}
        for policy in objects(render, "NetworkPolicy").values():
            for rule in policy["spec"].get("ingress", []):
                assert {opened["port"] for opened in rule["ports"]} <= listened


def test_verbs_say_of_every_method_of_the_contract_whether_it_reads():
    assert METHODS
    for method in METHODS:
        assert bool(READS.fullmatch(method)) != bool(WRITES.fullmatch(method)), method


def readers():
    return {method for method in METHODS if READS.fullmatch(method) and not OF_JOBS.fullmatch(method)}


def home_of(method):
    return "mesh" if re.match(r"voxgate\.v1\.(Mesh|Skeleton)Service/", method) else "volume"


def test_the_gateway_api_routes_every_method_that_reads_and_none_that_writes():
    (route,) = objects("prod", "GRPCRoute").values()
    routed = {
        f"{match['method']['service']}/{match['method']['method']}": backend["name"]
        for rule in route["spec"]["rules"]
        for backend in rule["backendRefs"]
        for match in rule["matches"]
    }
    assert routed == {method: home_of(method) for method in readers()}


def test_nginx_and_traefik_route_every_method_that_reads_and_none_that_writes():
    (rule,) = objects("dev", "Ingress")["voxgate-grpc"]["spec"]["rules"]
    by_nginx = {path["path"]: path["backend"]["service"]["name"] for path in rule["http"]["paths"]}
    (route,) = objects("workstation", "IngressRoute").values()
    by_traefik = {
        re.search(r"PathRegexp\(`(.*)`\)", rule["match"]).group(1): rule["services"][0]["name"]
        for rule in route["spec"]["routes"]
        if "PathRegexp" in rule["match"]
    }
    for table in (by_nginx, by_traefik):
        routed = {
            method: home
            for pattern, home in table.items()
            for method in METHODS
            if re.search(f"^{pattern}", f"/{method}")
        }
        assert routed == {method: home_of(method) for method in readers()}


def test_edges_speak_http2_to_what_speaks_grpc_and_are_patient():
    ingress = objects("dev", "Ingress")
    assert ingress["voxgate-grpc"]["metadata"]["annotations"]["nginx.ingress.kubernetes.io/backend-protocol"] == "GRPC"
    for each in ingress.values():
        assert int(each["metadata"]["annotations"]["nginx.ingress.kubernetes.io/proxy-read-timeout"]) >= 3600
    (route,) = objects("workstation", "IngressRoute").values()
    for rule in route["spec"]["routes"]:
        (service,) = rule["services"]
        assert service["scheme"] == ("http" if service["name"] == "gateway" else "h2c")
        assert service["serversTransport"] in objects("workstation", "ServersTransport")
    for render in EDGES:
        for service in objects(render, "Service").values():
            for port in service["spec"]["ports"]:
                assert (port.get("appProtocol") == "kubernetes.io/h2c") == (port["name"] == "grpc")


def test_monitoring_reads_the_page_of_metrics_of_every_service_by_the_name_that_alerts_use():
    (monitor,) = objects("prod", "ServiceMonitor").values()
    (endpoint,) = monitor["spec"]["endpoints"]
    (expression,) = monitor["spec"]["selector"]["matchExpressions"]
    assert set(expression["values"]) == {*SERVICES, "gateway"}
    for name in expression["values"]:
        service = objects("prod", "Service")[name]
        assert expression["key"] in service["metadata"]["labels"]
        assert endpoint["port"] in {port["name"] for port in service["spec"]["ports"]}
    assert monitor["spec"]["jobLabel"] == "app.kubernetes.io/name"
    assert "sum by (job" in (ROOT / "deploy/observability/voxgate-alerts.yaml").read_text()


def test_only_who_is_behind_the_namespace_s_policies_takes_writes():
    for render in CLOSED:
        takers = {
            name
            for name, each in workloads(render).items()
            if "VOXGATE_ALLOW_UNAUTHENTICATED_WRITES" in settings_of(each)
        }
        assert takers == ({"mesh", "transfer"} if render in ("dev", "prod") else set(SERVICES))
