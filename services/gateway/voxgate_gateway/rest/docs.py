"""The page `/api/`: what can be asked, written from the operations themselves, with links to try them."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from html import escape
from urllib.parse import quote, urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from voxgate.model import errors
from voxgate.model.errors import VoxgateError
from voxgate.model.geometry import Box, Vec3
from voxgate.model.volumes import VolumeInfo, VolumeKind
from voxgate_gateway.backend import Backend, Described
from voxgate_gateway.cards import copyable
from voxgate_gateway.page import Page, page_answer
from voxgate_gateway.paths import backend_of, parse_volume
from voxgate_gateway.prefix import base_of, root_of
from voxgate_gateway.rest.matching import NoSuchAddress
from voxgate_gateway.rest.openapi import parameters_of, problems_of
from voxgate_gateway.rest.operations import PREFIX, Area, Operation, Parameter
from voxgate_gateway.snippets import path_of

_MOST_LISTINGS = 12
_MOST_VOLUMES = 12
_PATIENCE_S = 3.0
_EDGE = 64
_LOOK = 8
_INTRODUCTION = """\
Everything below `/api/v1` is plain HTTP: any language that fetches a URL can use it. Boxes are half-open, in voxels of
one scale, in global coordinates; what goes wrong is `application/problem+json` with a `reason` for programs and a
`remedy` for people. Segment ids are strings, because readers of JSON in JavaScript, R and MATLAB make doubles of
numbers, which silently change ids above 2^53."""


@dataclass(frozen=True, slots=True)
class Example:
    """The volume that links try things on.

    Attributes:
        name: as in addresses.
        info: what it is.
        segment: the id of a segment in its middle; empty where none was found.
    """

    name: str
    info: VolumeInfo
    segment: str = ""

    @property
    def values(self) -> dict[str, str]:
        """Parameters that this volume has an answer to: a small box in its middle, one voxel thick in z."""
        if not self.info.scales:
            return {}
        bounds = self.info.scales[0].bounds
        values = {}
        for name, start, stop in zip("xyz", bounds.start, bounds.stop, strict=True):
            edge = min(1 if name == "z" else _EDGE, stop - start)
            first = start + (stop - start - edge) // 2
            values[name] = str(first) if name == "z" else f"{first}:{first + edge}"
        middle = [str((start + stop) // 2) for start, stop in zip(bounds.start, bounds.stop, strict=True)]
        values["points"] = ",".join(middle)
        if self.info.channel_count > 1:
            values["channel"] = "0"
        if self.info.time_count > 1:
            values["time"] = "0"
        if self.info.kind is not VolumeKind.SEGMENTATION and self.info.dtype.str not in ("|u1", "<u2"):
            values["window"] = "slice"
        return values


def docs_page(request: Request, areas: tuple[Area, ...]) -> Response:
    """Answer `/api/`; `?volume=NAME` chooses the volume that links try things on."""
    backend = backend_of(request)
    names, trouble = _some_volumes(backend)
    asked = request.query_params.get("volume", "")
    example = None
    try:
        if asked or names:
            ref = parse_volume((asked or names[0]).split("/"))
            name = f"{ref.name}@{ref.version}" if ref.version else ref.name
            described = backend.describe(ref, timeout_s=_PATIENCE_S)
            example = Example(name, described.info)
            example = replace(example, segment=_some_segment(backend, described))
    except VoxgateError as error:
        trouble = error
    content = "".join(
        [
            _about(root_of(request)),
            _chooser(names, example, trouble),
            *(_area(area, example, base_of(request)) for area in areas),
            _reasons(),
        ]
    )
    header = f'<h1>REST API</h1><p><a href="{root_of(request)}">All volumes</a></p>'
    return page_answer(request, Page("REST API · voxgate", header, content))


def to_docs(_request: Request) -> Response:
    """Answer `/api`: what is relative to the page needs the slash."""
    return RedirectResponse("api/", status_code=308)


def _some_volumes(backend: Backend) -> tuple[list[str], VoxgateError | None]:
    """The first few volumes that listings have, and why there may be more."""
    waiting, found = deque([""]), list[str]()
    problem: VoxgateError | None = None
    for _ in range(_MOST_LISTINGS):
        if not waiting or len(found) >= _MOST_VOLUMES:
            break
        try:
            entries, _token = backend.list_page(waiting.popleft(), _MOST_VOLUMES, "", timeout_s=_PATIENCE_S)
        except VoxgateError as error:
            problem = error
            continue
        found += [entry.name for entry in entries if entry.is_volume]
        waiting.extend(entry.name for entry in entries if not entry.is_volume)
    return found[:_MOST_VOLUMES], None if found else problem


def _some_segment(backend: Backend, described: Described) -> str:
    """The id of a segment in the middle of the coarsest scale; empty where that is background, or no segmentation."""
    info = described.info
    if info.kind is not VolumeKind.SEGMENTATION or not info.scales or info.time_count > 1:
        return ""
    bounds = info.scales[-1].bounds
    half = Vec3(bounds.shape.x // 2, bounds.shape.y // 2, bounds.shape.z // 2)
    box = Box.at(bounds.start + half, Vec3(_LOOK, _LOOK, _LOOK)).intersection(bounds)
    ids = backend.read_array(described, box, scale=len(info.scales) - 1)
    found = ids[ids != 0]
    return str(found.flat[0]) if found.size else ""


def _about(root: str) -> str:
    document = f'<p><a class="button" href="{root}{PREFIX}/openapi.json">OpenAPI 3.1 document</a></p>'
    return f'<div class="note">{_paragraphs(_INTRODUCTION)}{document}</div>'


def _chooser(names: list[str], example: Example | None, trouble: VoxgateError | None) -> str:
    links = " · ".join(f'<a href="./?volume={quote(name, safe="")}">{escape(name)}</a>' for name in names)
    said = f"<p>Links below try things on <b>{escape(example.name)}</b>.</p>" if example else ""
    wrong = f'<p class="bad">{escape(str(trouble))}</p>' if trouble else ""
    others = f"<p>Try another: {links}</p>" if links else ""
    return f'<nav class="note" aria-label="Volumes to try">{said}{wrong}{others}</nav>'


def _area(area: Area, example: Example | None, base: str) -> str:
    calls = "".join(_call(operation, example, base) for operation in area.operations)
    anchor = "area-" + escape(area.name.replace(" ", "-"))
    return (
        f'<section class="note" id="{anchor}"><h2>{escape(area.name)}</h2><p>{escape(area.text)}</p>{calls}</section>'
    )


def _call(operation: Operation, example: Example | None, base: str) -> str:
    path = f"/{PREFIX}{operation.path}"
    parameters = parameters_of(operation)
    address = address_to_try(operation, example)
    tries = ""
    if address:
        label = escape(f"Try: {operation.summary}")
        tries = (
            f'<p class="looks"><a class="button quiet" href="v1{escape(address)}" aria-label="{label}">Try it</a></p>'
        )
        curl = f"curl -g '{base}/{PREFIX}{address}'"
        tries += copyable("curl", curl, f"Copy the curl command of {operation.name}")
    return (
        f'<div class="call" id="{operation.name}"><h3><span class="method">{operation.method}</span> '
        f"<code>{escape(path)}</code></h3><p>{escape(operation.summary)}.</p>{_paragraphs(operation.text)}"
        f"{_table(operation, parameters)}{_answers(operation)}{tries}</div>"
    )


def address_to_try(operation: Operation, example: Example | None) -> str:
    """The address, below `/api/v1`, of an operation on the example; empty where there is nothing to try."""
    on_volume = "{volume}" in operation.path
    if operation.method != "GET" or (on_volume and (example is None or not example.info.scales)):
        return ""
    if "/segments" in operation.path and (example is None or not example.segment):
        return ""
    values = example.values | {"segment": example.segment} if on_volume and example else {}
    path = operation.path.replace("{volume}", path_of(example.name) if example else "")
    for each in operation.parameters:
        if each.where == "path":
            value = values.get(each.name) or (each.example if "enum" in each.kind.schema else "")
            if not value:
                return ""
            path = path.replace(f"{{{each.name}}}", quote(value, safe=""))
    query = dict(_query(operation, values))
    return f"{path}?{urlencode(query, safe=':,/')}" if query else path


def _query(operation: Operation, values: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for each in operation.parameters:
        if each.where != "query":
            continue
        if each.name in values:
            yield each.name, values[each.name]
        elif each.required and each.example:
            yield each.name, each.example


def _table(operation: Operation, parameters: tuple[Parameter, ...]) -> str:
    if not parameters:
        return ""
    rows = "".join(
        f'<tr><th scope="row"><code>{escape(each.name)}</code></th><td>{_needed(each)}</td>'
        f"<td>{_inline(each.text)}{_choices(each)}</td></tr>"
        for each in parameters
    )
    label = escape(f"Parameters of {operation.name}")
    return (
        f'<div class="scales" tabindex="0" role="region" aria-label="{label}"><table><thead><tr>'
        '<th scope="col">Parameter</th><th scope="col"></th><th scope="col">Meaning</th></tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def _needed(parameter: Parameter) -> str:
    return "required" if parameter.required or parameter.where == "path" else "optional"


def _choices(parameter: Parameter) -> str:
    options = parameter.kind.schema.get("enum", [])
    return f" One of {', '.join(f'<code>{escape(str(each))}</code>' for each in options)}." if options else ""


def _answers(operation: Operation) -> str:
    good = "".join(
        f"<li><b>{status}</b> {_inline(answer.text)} {_inline(', '.join(f'`{media}`' for media in answer.media))}</li>"
        for status, answer in operation.answers.items()
    )
    told = {name: text for answer in operation.answers.values() for name, text in answer.headers.items()}
    headers = "".join(f"<li><code>{escape(name)}</code> {_inline(text)}</li>" for name, text in told.items())
    bad = "".join(f"<li><b>{status}</b> {escape(text)}</li>" for status, text in problems_of(operation).items())
    more = f"<details><summary>Headers</summary><ul>{headers}</ul></details>" if headers else ""
    return (
        f"<details><summary>Answers</summary><ul>{good}</ul></details>{more}"
        f"<details><summary>Problems</summary><ul>{bad}</ul></details>"
    )


def _reasons() -> str:
    kinds: list[type[VoxgateError]] = [NoSuchAddress, *kinds_of_problems()]
    rows = "".join(
        f'<tr id="{kind.reason}"><th scope="row"><code>{kind.reason}</code></th>'
        f"<td>{escape((kind.__doc__ or '').partition(chr(10))[0])}</td></tr>"
        for kind in kinds
    )
    return (
        '<section class="note call" id="reasons"><h2>Reasons</h2><p>What <code>reason</code> of a problem may be; '
        "<code>type</code> leads here.</p>"
        '<div class="scales" tabindex="0" role="region" aria-label="Reasons"><table><tbody>'
        f"{rows}</tbody></table></div></section>"
    )


def kinds_of_problems() -> list[type[VoxgateError]]:
    """The contract's errors, one for each reason: the most general; sorted by reason."""
    found: dict[str, type[VoxgateError]] = {}
    waiting: deque[type[VoxgateError]] = deque([VoxgateError])
    while waiting:
        each = waiting.popleft()
        if each.__module__ == errors.__name__:
            found.setdefault(each.reason, each)
        waiting.extend(each.__subclasses__())
    return [found[reason] for reason in sorted(found)]


def _paragraphs(text: str) -> str:
    """The Markdown of our own descriptions: paragraphs, lists of `- `, and code between backticks."""
    made = []
    for block in filter(None, text.split("\n\n")):
        if block.startswith("- "):
            items = "".join(f"<li>{_inline(item)}</li>" for item in block[2:].split("\n- "))
            made.append(f"<ul>{items}</ul>")
        else:
            made.append(f"<p>{_inline(block)}</p>")
    return "".join(made)


def _inline(text: str) -> str:
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))
