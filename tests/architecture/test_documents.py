"""What the documents point to exists, and what exists is pointed to."""

from __future__ import annotations

import pathlib
import re

import pytest

from support.house import ROOT, modules, room_packages

DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "clients").glob("*/README.md")])
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(?:#[^)]*)?\)")
CODE = re.compile(r"`([A-Za-z0-9_./-]+)`")
VERB = re.compile(r"`make ([a-z -]+)`")


def name_of(path: pathlib.Path) -> str:
    return str(path.relative_to(ROOT))


def missing_links(document: pathlib.Path) -> list[str]:
    targets = LINK.findall(document.read_text())
    local = [target for target in targets if not target.startswith(("http://", "https://", "mailto:"))]
    return [target for target in local if not (document.parent / target).exists()]


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_links_lead_somewhere(document: pathlib.Path) -> None:
    assert missing_links(document) == []


def test_a_dead_link_is_noticed(tmp_path: pathlib.Path) -> None:
    (tmp_path / "page.md").write_text("see [one](page.md#here), [two](gone.md) and [three](https://example.org/)")
    assert missing_links(tmp_path / "page.md") == ["gone.md"]


def test_every_page_is_in_the_index() -> None:
    index = ROOT / "docs/README.md"
    linked = {(index.parent / target).resolve() for target in LINK.findall(index.read_text())}
    pages = {page for page in (ROOT / "docs").rglob("*.md") if page != index}
    assert sorted(map(name_of, pages - linked)) == []


def test_decisions_are_numbered_in_order_and_have_three_parts() -> None:
    decisions = sorted((ROOT / "docs/adr").glob("*.md"))
    assert [int(path.name[:4]) for path in decisions] == list(range(1, len(decisions) + 1))
    for path in decisions:
        text = path.read_text()
        assert text.startswith(f"# {int(path.name[:4])}. ")
        assert all(part in text for part in ("**Context.**", "**Decision.**", "**Consequences.**")), path.name


def test_the_architecture_is_one_page_and_names_what_exists() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text()
    assert len(text.splitlines()) <= 100
    paths = [code for code in CODE.findall(text) if "/" in code]
    services = {"mesh", "transfer", "gateway"}
    assert [path for path in paths if path not in services and not (ROOT / path).exists()] == []
    for package in room_packages():
        room = package.parent.relative_to(ROOT)
        assert package.name in text or str(room) in text or room.name in text


def test_modules_named_in_the_architecture_exist() -> None:
    known = {
        ".".join(path.with_suffix("").relative_to(package.parent).parts)
        for package in room_packages()
        for path in modules(package)
    }
    named = re.findall(r"`(voxgate(?:_\w+)?\.[a-z_.]+)`", (ROOT / "ARCHITECTURE.md").read_text())
    assert len(named) >= 3
    assert [name for name in named if name not in known] == []


def test_verbs_named_in_the_documents_are_in_the_makefile() -> None:
    verbs = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    named = {verb for document in DOCUMENTS for words in VERB.findall(document.read_text()) for verb in words.split()}
    assert {"test", "protos-dist"} <= named
    assert sorted(named - verbs) == []
