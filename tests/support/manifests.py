"""The rendered manifests of deploy/k8s, and what their NetworkPolicies let through."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Iterator
from typing import Any

import yaml

from .house import ROOT

K8S = ROOT / "deploy/k8s"
Manifest = dict[str, Any]


@functools.cache
def documents(render: str) -> list[Manifest]:
    """Every object of a render."""
    return list(yaml.safe_load_all((K8S / f"rendered/{render}.yaml").read_text()))


def objects(render: str, kind: str) -> dict[str, Manifest]:
    """The objects of a kind, by name."""
    return {each["metadata"]["name"]: each for each in documents(render) if each["kind"] == kind}


def workloads(render: str) -> dict[str, Manifest]:
    """What runs pods, by name."""
    return objects(render, "Deployment") | objects(render, "StatefulSet")


def pod(workload: Manifest) -> Manifest:
    """The pod's specification."""
    return workload["spec"]["template"]["spec"]


def only_container(workload: Manifest) -> Manifest:
    """Its one container."""
    (container,) = pod(workload)["containers"]
    return container


def settings_of(workload: Manifest) -> dict[str, str]:
    """The environment that is stated."""
    return {entry["name"]: entry["value"] for entry in only_container(workload).get("env", [])}


def ports_of(workload: Manifest) -> dict[str, int]:
    """The container's ports, by name."""
    return {port["name"]: port["containerPort"] for port in only_container(workload)["ports"]}


def configuration(render: str) -> Manifest:
    """What the ConfigMap's voxgate.toml says."""
    (config,) = objects(render, "ConfigMap").values()
    return tomllib.loads(config["data"]["voxgate.toml"])


def labels_of(workload: Manifest) -> dict[str, str]:
    """The labels of its pods."""
    return workload["spec"]["template"]["metadata"]["labels"]


def selects(selector: Manifest, labels: dict[str, str]) -> bool:
    """Whether a label selector, as these manifests write them, means pods with these labels."""
    assert selector.keys() <= {"matchLabels", "matchExpressions"}
    expressions = selector.get("matchExpressions", [])
    assert all(each["operator"] == "In" for each in expressions)
    return selector.get("matchLabels", {}).items() <= labels.items() and all(
        labels.get(each["key"]) in each["values"] for each in expressions
    )


class Network:
    """What the policies of a render let through; whatever no policy selects is unlimited, as Kubernetes has it."""

    def __init__(self, render: str) -> None:
        self.policies = [each["spec"] for each in objects(render, "NetworkPolicy").values()]
        self.pods = {name: labels_of(workload) for name, workload in workloads(render).items()}
        self.pods["client"] = {"voxgate.dev/client": "true"}
        self.pods["stranger"] = {"app.kubernetes.io/name": "stranger"}
        self.ports = {port for each in workloads(render).values() for port in ports_of(each).values()}

    def inside(self) -> set[tuple[str, str, int]]:
        """(who, whom, port) of every connection in the namespace that both sides' policies allow."""
        return {
            (one, other, port)
            for one, asking in self.pods.items()
            for other, asked in self.pods.items()
            for port in self.ports
            if self._lets("Egress", asking, asked, port) and self._lets("Ingress", asked, asking, port)
        }

    def outward(self, who: str) -> set[tuple[str, int]]:
        """(namespace, or "public" for what is outside of the cluster, port) that pods may reach; DNS left out."""
        return {(to, port) for to, port in self._beyond("Egress", "to", who) if port != 53}

    def inward(self, who: str) -> set[tuple[str, int]]:
        """(namespace, port): from where pods are reached."""
        return set(self._beyond("Ingress", "from", who))

    def _of(self, way: str, labels: dict[str, str]) -> list[Manifest]:
        return [each for each in self.policies if way in each["policyTypes"] and selects(each["podSelector"], labels)]

    def _lets(self, way: str, own: dict[str, str], peer: dict[str, str], port: int) -> bool:
        policies, key = self._of(way, own), "to" if way == "Egress" else "from"
        allowed = (
            selects(each["podSelector"], peer)
            for policy in policies
            for rule in policy.get(way.lower(), [])
            if port in {opened["port"] for opened in rule["ports"]}
            for each in rule[key]
            if each.keys() == {"podSelector"}
        )
        return not policies or any(allowed)

    def _beyond(self, way: str, key: str, who: str) -> Iterator[tuple[str, int]]:
        for policy in self._of(way, self.pods[who]):
            for rule in policy.get(way.lower(), []):
                for peer in rule[key]:
                    for opened in rule["ports"]:
                        if "namespaceSelector" in peer:
                            yield (
                                peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"],
                                opened["port"],
                            )
                        elif "ipBlock" in peer:
                            yield "public", opened["port"]
