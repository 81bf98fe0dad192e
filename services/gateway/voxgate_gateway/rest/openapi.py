"""The OpenAPI 3.1 document, written from the operations themselves."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Sequence
from typing import Any

from voxgate_gateway.rest.kinds import NAME, words
from voxgate_gateway.rest.operations import Answer, Area, Operation, Parameter, ref
from voxgate_gateway.rest.problems import MEDIA_TYPE, PROBLEM

VOLUME_NAME = Parameter(
    "volume",
    words(f"{NAME}(@[A-Za-z0-9._~+-]+)?", "a volume's name", 1024),
    "The volume: `remote/path` or `remote/path@version`. Slashes are sent as they are, or as `%2F` by generated "
    "clients, which encode the whole name once.",
    where="path",
    required=True,
    example="aniso/seg",
)
_ALWAYS = {
    400: "The request can never succeed as it is.",
    401: "The server wants to know who asks.",
    403: "Whoever asks may not have this.",
    404: "There is no such thing, or the box leaves the volume.",
    409: "It changed meanwhile.",
    422: "The volume is not one that this can be done with, or its store is damaged.",
    500: "A fault of the gateway.",
    501: "The server cannot do this.",
    502: "The server behind the gateway failed.",
    503: "Too busy, or the store is away; `Retry-After` says when to ask again.",
    504: "It took too long.",
}
_OTHERS = {416: "The range has no byte of the body."}
_HEADER_TEXT = {"type": "string"}


def document(areas: Sequence[Area]) -> dict[str, Any]:
    """The whole document. Its server is relative to its own address, so that a prefix of a proxy changes nothing."""
    paths: dict[str, dict[str, Any]] = {}
    schemas: dict[str, Any] = {"Problem": PROBLEM}
    for area in areas:
        schemas |= area.schemas
        for operation in area.operations:
            at = paths.setdefault(operation.path, {})
            at[operation.method.lower()] = _operation(area, operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "voxgate",
            "version": importlib.metadata.version("voxgate-gateway"),
            "description": "Volumes of every configured store over HTTP. Boxes are half-open, in voxels of one scale, "
            "in global coordinates. Segment ids are strings.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "../v1", "description": "where this document is"}],
        "tags": [{"name": area.name, "description": area.text} for area in areas],
        "paths": paths,
        "components": {"schemas": schemas},
    }


def parameters_of(operation: Operation) -> tuple[Parameter, ...]:
    """All of them, the volume first where the path has one."""
    return (VOLUME_NAME, *operation.parameters) if "{volume}" in operation.path else operation.parameters


def problems_of(operation: Operation) -> dict[int, str]:
    """The statuses that an operation may refuse or fail with, and what they mean."""
    return _ALWAYS | {status: _OTHERS.get(status, _ALWAYS.get(status, "")) for status in operation.problems}


def _operation(area: Area, operation: Operation) -> dict[str, Any]:
    answers = {str(status): _answer(answer) for status, answer in operation.answers.items()}
    problem = {MEDIA_TYPE: {"schema": ref("Problem")}}
    for status, text in problems_of(operation).items():
        answers[str(status)] = {"description": text, "content": problem}
    described: dict[str, Any] = {
        "operationId": operation.name,
        "tags": [area.name],
        "summary": operation.summary,
        "parameters": [_parameter(each) for each in parameters_of(operation)],
        "responses": answers,
    }
    if operation.text:
        described["description"] = operation.text
    if operation.body:
        described["requestBody"] = {
            "required": True,
            "content": {media: {"schema": schema} for media, schema in operation.body.items()},
        }
    return described


def _parameter(parameter: Parameter) -> dict[str, Any]:
    described: dict[str, Any] = {
        "name": parameter.name,
        "in": parameter.where,
        "required": parameter.required or parameter.where == "path",
        "description": parameter.text,
        "schema": parameter.kind.schema,
    }
    if parameter.example:
        described["example"] = parameter.kind.parse(parameter.example) if _is_number(parameter) else parameter.example
    return described


def _is_number(parameter: Parameter) -> bool:
    return parameter.kind.schema.get("type") in ("integer", "number")


def _answer(answer: Answer) -> dict[str, Any]:
    described: dict[str, Any] = {"description": answer.text}
    if answer.media:
        described["content"] = {media: {"schema": schema} for media, schema in answer.media.items()}
    if answer.headers:
        described["headers"] = {
            name: {"description": text, "schema": _HEADER_TEXT} for name, text in answer.headers.items()
        }
    return described
