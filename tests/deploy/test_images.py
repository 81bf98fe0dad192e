from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from support.containers import DEPLOY, IMAGES
from support.house import ROOT

INSTALL = (DEPLOY / "docker/install.sh").read_text()
BELOW = {"gateway": "core", "volume": "core", "transfer": "volume", "mesh": "transfer", "standalone": "mesh"}
"""Whose releases each image has beneath its own."""
DOCKERFILE = (DEPLOY / "docker/Dockerfile").read_text()


def releases(lock: Path) -> set[tuple[str, str]]:
    """(name, version) of everything in a lock; the suite's own has two of what differs by Python version."""
    return set(re.findall(r"^([a-z0-9._-]+)==([^\s;\\]+)", lock.read_text(), re.MULTILINE))


def names(lock: Path) -> set[str]:
    return {name for name, _ in releases(lock)}


def stage(name: str) -> str:
    return re.split(r"^FROM ", DOCKERFILE.partition(f" AS {name}\n")[2], flags=re.MULTILINE)[0]


@pytest.mark.parametrize("image", [*IMAGES, "core", "build"])
def test_an_image_installs_the_releases_of_the_lock_by_hash_and_names_no_address(image):
    lock = DEPLOY / f"requirements/{image}.lock"
    wanted = releases(lock)
    assert wanted
    assert wanted <= releases(ROOT / "requirements.lock")
    text = lock.read_text()
    assert "://" not in text
    assert text.count("--hash=sha256:") >= len(wanted)


@pytest.mark.parametrize("image", IMAGES)
def test_no_image_carries_the_tools_of_developers(image):
    tools = {"pytest", "mypy", "ruff", "hypothesis", "cloud-volume", "buf-bin", "grpcio-tools", "hatchling"}
    assert not tools & names(DEPLOY / f"requirements/{image}.lock")


def test_the_gateways_image_holds_no_adapter_and_no_store_library():
    wanted = (DEPLOY / "requirements/gateway.in").read_text()
    assert "remotes" not in wanted
    assert "blocks" not in wanted
    assert "tensorstore" not in names(DEPLOY / "requirements/gateway.lock")


@pytest.mark.parametrize("image", IMAGES)
def test_every_image_has_a_target_with_its_own_entry_point(image):
    command = '["voxgate"]' if image == "standalone" else f'["python", "-m", "voxgate_{image}"]'
    assert f"ENTRYPOINT {command}" in stage(image)
    assert f"COPY --from=rooms /{image} /opt/voxgate" in stage(image)


@pytest.mark.parametrize("image", IMAGES)
def test_an_image_is_its_lower_layers_and_what_it_adds(image):
    below = BELOW[image]
    assert releases(DEPLOY / f"requirements/{below}.lock") <= releases(DEPLOY / f"requirements/{image}.lock")
    assert f"install.sh releases {image} {below}\n" in stage(f"{image}-releases")


def test_what_a_layer_adds_is_what_the_one_below_does_not_have(tmp_path):
    for name, lines in (
        ("volume", "a==1 \\\n    --hash=x\n"),
        ("transfer", "a==1 \\\n    --hash=x\nb==2 \\\n    --hash=y\n"),
    ):
        (tmp_path / f"{name}.lock").write_text(lines)
    (script,) = re.findall(r"^    (awk .*?) >layer\.txt$", INSTALL, re.MULTILINE | re.DOTALL)

    def added(*arguments: str) -> str:
        run = ["sh", "-c", f'below=$1; set -- releases "$2"; {script}', "sh", *arguments]
        return subprocess.run(run, capture_output=True, text=True, check=True, cwd=tmp_path).stdout

    assert added("volume.lock", "transfer") == "b==2 \\\n    --hash=y\n"
    assert added("/dev/null", "volume") == "a==1 \\\n    --hash=x\n"


def test_images_run_without_root():
    assert "USER 65532:65532" in stage("runtime")
    assert DOCKERFILE.count("USER ") == 1


def test_the_build_script_builds_every_image():
    listed = re.search(r"^images=\((.*)\)$", (DEPLOY / "containers.sh").read_text(), re.MULTILINE)
    assert sorted(listed.group(1).split()) == list(IMAGES)


def test_every_room_and_what_it_packs_is_copied_into_the_build():
    ignored = (DEPLOY / "docker/Dockerfile.dockerignore").read_text()
    folders = set(re.findall(r"^COPY (\S+) /src/", DOCKERFILE, re.MULTILINE))
    for member in ROOT.glob("*/*/pyproject.toml"):
        part = member.parent.relative_to(ROOT)
        if part.parts[0] == "tests":  # a plug-in, which is somebody else's
            continue
        assert part.as_posix() in folders or part.parent.as_posix() in folders
    for folder in (*folders, *re.findall(r"^COPY (deploy/\S+?)/? ", DOCKERFILE, re.MULTILINE)):
        assert f"\n!{folder}\n" in ignored


@pytest.mark.parametrize("image", IMAGES)
def test_every_room_that_an_image_names_is_installed_in_it_whatever_extras_it_has(image):
    needs = DEPLOY / f"requirements/{image}.in"
    (script,) = re.findall(r"^    (sed -n .*?)\\\n\s+\"\$2\.in\"", INSTALL, re.MULTILINE)
    installed = subprocess.run(["sh", "-c", f"{script} {needs}"], capture_output=True, text=True, check=True)
    rooms = [line.removeprefix("-e ").partition("[")[0] for line in needs.read_text().splitlines() if line[:3] == "-e "]
    named = {"clients/python": "voxgate"}
    wanted = [named.get(room, f"voxgate-{room.rpartition('/')[2]}") for room in rooms]
    assert sorted(installed.stdout.split()) == sorted(wanted)
