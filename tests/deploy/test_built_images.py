"""The images as `make images` built them, each started in ways that are good and bad."""

from __future__ import annotations

import json
import subprocess
import textwrap

import pytest

from support.containers import IMAGES, must, need_images, reference, run
from support.house import ROOT

pytestmark = pytest.mark.full

CONFINED = "podman run --rm --no-healthcheck --network none --read-only --cap-drop=all --security-opt=no-new-privileges"

_UNMET = """
from importlib.metadata import PackageNotFoundError, distributions, version
from packaging.requirements import Requirement
for one in distributions():
    for line in one.requires or ():
        need = Requirement(line)
        if need.marker and not need.marker.evaluate({"extra": ""}):
            continue
        try:
            if not need.specifier.contains(version(need.name), prereleases=True):
                print(one.name, "needs", line)
        except PackageNotFoundError:
            print(one.name, "needs", line)
"""


@pytest.fixture(scope="module", autouse=True)
def images():
    need_images()


@pytest.fixture
def config(tmp_path):
    """Writes a voxgate.toml and answers the option that mounts it."""

    def write(text: str) -> str:
        (tmp_path / "voxgate.toml").write_text(textwrap.dedent(text))
        tmp_path.chmod(0o755)
        return f"-v {tmp_path}:/etc/voxgate:ro"

    return write


def inspected(image: str) -> dict:
    return json.loads(must(f"podman image inspect {reference(image)}"))[0]


def refused(command: str) -> str:
    """What a container says that ends with code 2, in a sentence or two and no traceback."""
    done = run(command)
    assert done.returncode == 2, f"{done.returncode}: {done.stdout}{done.stderr}"
    assert "Traceback" not in done.stderr
    return done.stderr


@pytest.mark.parametrize("image", IMAGES)
def test_an_image_runs_without_root_is_probed_by_grpc_and_says_what_it_is(image):
    facts = inspected(image)
    assert facts["User"] == "65532:65532"
    labels = facts["Labels"]
    told = {key.removeprefix("org.opencontainers.image."): value for key, value in labels.items()}
    assert told["title"] == ("voxgate" if image == "standalone" else f"voxgate/{image}")
    assert told["licenses"] == "Apache-2.0"
    assert told["version"] == "0.1.0"
    revision = subprocess.run(["git", "cat-file", "-t", told["revision"]], cwd=ROOT, capture_output=True, text=True)
    assert revision.stdout.strip() == "commit"
    health = must(f"podman image inspect --format '{{{{json .HealthCheck}}}}' {reference(image)}")
    assert json.loads(health)["Test"][:4] == ["CMD", "python", "-m", "voxgate_serving.probe"]


@pytest.mark.parametrize("image", IMAGES)
def test_an_image_has_everything_that_its_distributions_need_and_no_installer(image):
    unmet = must(f"{CONFINED} --entrypoint python {reference(image)} -c '{_UNMET}'")
    # A codec declares pytest and never imports it.
    assert [line for line in unmet.splitlines() if "needs pytest" not in line] == []
    assert run(f"{CONFINED} --entrypoint python {reference(image)} -m pip --version").returncode != 0


def test_images_share_their_lower_layers():
    layers = {image: inspected(image)["RootFS"]["Layers"] for image in IMAGES}
    for upper, lower in (("transfer", "volume"), ("mesh", "transfer"), ("standalone", "mesh")):
        below = layers[lower][:-1]  # but for its own code
        assert layers[upper][: len(below)] == below
    assert layers["gateway"][:3] == layers["volume"][:3]
    assert inspected("gateway")["Size"] < inspected("volume")["Size"]


def test_a_probe_of_a_server_that_is_not_there_says_no():
    probing = f"{CONFINED} --entrypoint python {reference('volume')} -m voxgate_serving.probe ready"
    done = run(probing)
    assert done.returncode == 1
    assert "ready: UNAVAILABLE" in done.stderr


def test_an_unknown_key_is_refused_with_the_nearest_one(config):
    said = refused(f"{CONFINED} {config('[server]' + chr(10) + 'grace_seconds = 3')} {reference('volume')}")
    assert 'did you mean "grace_s"' in said


def test_a_configuration_that_is_not_mounted_is_said():
    assert "cannot read /etc/voxgate/voxgate.toml" in refused(f"{CONFINED} {reference('mesh')}")


@pytest.mark.parametrize("image", ["mesh", "transfer"])
def test_a_missing_secret_is_said(config, image):
    secret = "-e VOXGATE_JOBS_URL=postgresql://voxgate@db/voxgate -e VOXGATE_JOBS_PASSWORD_FILE=/run/secrets/nothing"
    said = refused(f"{CONFINED} {config('[remotes]')} {secret} {reference(image)}")
    assert "the password of the job database cannot be read" in said


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("mysql://voxgate:swordfish@db/voxgate", "cannot be kept in a database of the kind"),
        ("postgresql://voxgate:swordfish@127.0.0.1:9/voxgate", "the job database does not answer"),
        ("sqlite:////nowhere/jobs.db", "folder that the job database should be in does not exist"),
    ],
)
def test_a_wrong_address_of_the_jobs_is_said_without_its_password(config, url, words):
    said = refused(f"{CONFINED} {config('[remotes]')} -e VOXGATE_JOBS_URL={url} {reference('transfer')}")
    assert words in said
    assert "swordfish" not in said


_ASK = """
import sys, voxgate
try:
    with voxgate.connect("localhost:50051") as client:
        print(client.volume("far/em").dtype)
except voxgate.errors.VoxgateError as error:
    print(type(error).__name__)
"""


def test_a_store_that_is_away_at_the_start_is_reported_and_found_later(config):
    mounted = config('[remotes.far]\nuri = "http://127.0.0.1:8099/"')
    name = "voxgate-test-far"
    ask = f"podman exec {name} python -c '{_ASK}'"
    python = f"podman exec {name} python -m"
    try:
        must(
            f"podman run --detach --name {name} --no-healthcheck --network none --read-only --tmpfs /tmp --cap-drop=all"
            f" {mounted} -v {ROOT}/samples/fib25:/srv:ro {reference('volume')}"
        )
        must(f"for i in {{1..150}}; do {python} voxgate_serving.probe ready && exit; sleep 0.2; done; exit 1")
        assert must(ask) == "StoreUnavailable"
        must(f"podman exec --detach {name} python -m http.server --directory /srv --bind 127.0.0.1 8099")
        must(f"for i in {{1..150}}; do [[ $({ask}) == uint8 ]] && exit; sleep 0.2; done; {ask}; exit 1")
    finally:
        run(f"podman rm --force --time 5 {name}")
