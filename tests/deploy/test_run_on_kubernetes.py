"""docs/how-to/run-on-kubernetes.md, block by block, without a cluster: see support/kubectl_played.py."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import support.kubectl_played
from support.house import ROOT
from support.manifests import K8S, Network, configuration, only_container, pod, ports_of, workloads
from support.processes import FREE_PORTS, VOXGATE, announcing
from voxgate_serving.settings import load_configuration
from voxgate_standalone.egress import edges_of

PAGE = (ROOT / "docs/how-to/run-on-kubernetes.md").read_text()
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
KUBECTL = shutil.which("kubectl")
FORWARDED = re.compile(r"(?:localhost|volume):50\d\d1\b")
_COMMAND = '#!/bin/sh\nexec {} "$@"\n'
_PODMAN = '#!/bin/sh\necho "$@" >>"{folder}/podman.log"\ncase $1 in save) shift; echo "$@";; esac\n'
_K3S = '#!/bin/sh\n[ "$*" = "ctr images import -" ] && cat >>"{folder}/k3s.log"\n'


def test_every_block_is_of_a_kind_that_is_played_here():
    assert {kind for kind, _ in BLOCKS} == {"sh", "python", "yaml"}
    assert len(BLOCKS) == len(re.findall(r"^```", PAGE, re.MULTILINE)) / 2
    # Indented code would be a command that nobody runs.
    assert not re.findall(
        r"^    [a-z]", re.sub(r"^```.*?^```$", "", PAGE, flags=re.MULTILINE | re.DOTALL), re.MULTILINE
    )


@pytest.fixture(scope="module")
def suite(tmp_path_factory):
    """A suite whose volumes are called as the page has them."""
    folder = tmp_path_factory.mktemp("suite")
    (folder / "data").mkdir()
    shutil.copytree(ROOT / "samples/fib25", folder / "data/fib25")
    config = folder / "voxgate.toml"
    config.write_text('[remotes.data]\nuri = "data"\n[remotes.scratch]\nuri = "scratch"\nwritable = true\n')
    (folder / "scratch").mkdir()
    state = {**os.environ, "XDG_STATE_HOME": str(folder / "state")}
    with announcing([*VOXGATE, "serve", "--config", str(config), *FREE_PORTS], folder / "log", state) as (_, places):
        yield places


class Shell:
    """A checkout's deploy/, and programs that stand for those which need a cluster or a registry."""

    def __init__(self, folder: Path, places: dict[str, str]) -> None:
        self.folder, self.places = folder, places
        shutil.copytree(ROOT / "deploy/k8s", folder / "deploy/k8s")
        programs = folder / "bin"
        programs.mkdir()
        check = f"{ROOT}/.venv-deploy/bin/python {ROOT}/deploy/check_manifests.py"
        played = [sys.executable, support.kubectl_played.__file__, str(KUBECTL), check, str(folder / "state.json")]
        for name, text in {
            "kubectl": _COMMAND.format(shlex.join(played)),
            "voxgate": _COMMAND.format(shlex.join(VOXGATE)),
            "podman": _PODMAN.format(folder=folder),
            "k3s": _K3S.format(folder=folder),
            "sudo": '#!/bin/sh\nexec "$@"\n',
        }.items():
            (programs / name).write_text(text)
            (programs / name).chmod(0o755)
        secrets = {"BOSSDB_TOKEN": "secret-1", "JOBS_PASSWORD": "secret-2"}
        self.environment = {**os.environ, **secrets, "PATH": f"{programs}:{os.environ['PATH']}"}

    def run(self, command: list[str]) -> str:
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=240
        )
        assert done.returncode == 0, f"{command[-1]}\n{done.stdout}{done.stderr}"
        return done.stdout

    def at_the_suite(self, text: str) -> str:
        """What a block says, of the suite in the place of forwarded ports."""
        said = FORWARDED.sub(f"localhost:{self.places['grpc'].rpartition(':')[2]}", text)
        return said.replace("http://localhost:8080", self.places["http"])

    def script(self, text: str) -> str:
        # A command in the background has no exit code unless somebody waits for it.
        waited = re.sub(r" &$", " || exit 1", self.at_the_suite(text) if "curl" in text else text, flags=re.MULTILINE)
        return self.run(["bash", "-eu", "-o", "pipefail", "-c", waited])


@pytest.mark.full
@pytest.mark.timeout(600)
def test_the_page_works_as_far_as_there_is_no_cluster(tmp_path, suite):
    assert KUBECTL, "kubectl is not installed"
    subprocess.run(["bash", "-c", "source deploy/tools.sh"], cwd=ROOT, check=True, timeout=280)
    shell = Shell(tmp_path, suite)
    for kind, text in BLOCKS:
        if kind == "python":
            said = shell.run([sys.executable, "-c", shell.at_the_suite(text)])
            assert "3000" in said  # where the sample lies
        elif kind == "yaml":
            manifest(shell, text)
        else:
            look(shell, text, shell.script(text))


def manifest(shell: Shell, text: str) -> None:
    """Apply a block of YAML to the overlay that the page makes, and run what its containers would."""
    file = shell.folder / "block.yaml"
    file.write_text(text)
    shell.run(["kubectl", "apply", "-f", str(file)])
    document = yaml.safe_load(text)
    if document["kind"] == "NetworkPolicy":
        (rule,) = document["spec"]["egress"]
        (peer,) = rule["to"]
        place = ".".join(["minio", *peer["namespaceSelector"]["matchLabels"].values(), "svc"])
        assert f"https://{place}:{rule['ports'][0]['port']}" in PAGE
    else:
        file.write_text((K8S / "rendered/prod.yaml").read_text() + "---\n" + text)
        shell.run(["bash", str(ROOT / "deploy/validate.sh"), str(file)])
        (container,) = document["spec"]["template"]["spec"]["containers"]
        said = shell.run([*VOXGATE, *(shell.at_the_suite(word) for word in container["args"])])
        assert re.match(r"scratch/meshes: \d+ segments", said)
        assert container["image"] == only_container(workloads("prod")["dask-worker"])["image"]
        assert document["spec"]["template"]["metadata"]["labels"].items() <= Network("prod").pods["client"].items()


def look(shell: Shell, text: str, said: str) -> None:
    """What else is true once a block of shell has run."""
    if "podman save" in text:
        named = set((shell.folder / "k3s.log").read_text().split()) - {"--multi-image-archive"}
        assert {f"{name}:latest" for name in named} == images("workstation")
    if "podman push" in text:
        pushed = [line.split() for line in (shell.folder / "podman.log").read_text().splitlines() if "push" in line]
        assert {target for _, _, target in pushed} == images("prod")
    if "config check" in text:
        assert "good" in said
    if "config egress" in text:
        assert re.search(r"minio\.storage\.svc\s+9000\s+remotes\.archive", said)
    if "-n voxgate-dev create secret" in text:
        assert secrets("dev") - {"dask-scheduler", "dask-worker", "dask-client"} == {"voxgate-jobs"}
    if "voxgate-stores" in text:
        assert secrets("prod") - {"dask-scheduler", "dask-worker", "dask-client"} == {"voxgate-jobs", "voxgate-stores"}


def images(render: str) -> set[str]:
    return {only_container(workload)["image"] for workload in workloads(render).values()}


def secrets(render: str) -> set[str]:
    return {
        each["secret"]["secretName"]
        for w in workloads(render).values()
        for each in pod(w)["volumes"]
        if "secret" in each
    }


def row(name: str, edges: list) -> list[str]:
    """A pod's row of the page's table."""
    workload = workloads("prod")[name]
    ports = ", ".join(str(port) for port in ports_of(workload).values())
    named = [each["secret"]["secretName"] for each in pod(workload)["volumes"] if "secret" in each]
    mounts = [each["mountPath"] for each in only_container(workload)["volumeMounts"]]
    beyond = {(edge.host, edge.port) for edge in edges if name in edge.services}
    beyond |= {(other, port) for one, other, port in Network("prod").inside() if one == name}
    told = [sorted(named), sorted(mounts), sorted(f"{host}:{port}" for host, port in beyond)]
    return [f"`{name}`", ports, *(", ".join(f"`{each}`" for each in cell) or "none" for cell in told)]


def test_the_table_says_of_every_pod_its_ports_secrets_mounts_and_whom_it_connects_to(tmp_path):
    assert configuration("prod")
    edges = edges_of(load_configuration(ROOT / "deploy/k8s/overlays/prod/voxgate.toml", {}), {})
    expected = ["| " + " | ".join(row(name, edges)) + " |" for name in sorted(workloads("prod"))]
    table = PAGE.partition("| pod | ports | Secrets |")[2].partition("\n\n")[0].splitlines()[2:]
    assert table == expected, "\n".join(expected)
