"""The OpenAPI document: what FastAPI finds out, with refusals, credentials and an example everywhere."""

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import resources
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from api.problems import Problem

PROBLEM = {"$ref": "#/components/schemas/Problem"}
GENERATED = ("HTTPValidationError", "ValidationError")  # FastAPI's own, which nothing here answers with
CREDENTIALS = {
    "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    "bearer": {"type": "http", "scheme": "bearer"},
}
OPEN = (
    "/health/",
    "/metrics",
    "/.well-known/",
    "/api/v1/auth/token",
    "/api/v1/auth/refresh",
    "/api/v1/auth/logout",
)
"""What is answered without a credential."""

REFUSALS = {
    "default": {
        "description": "Refused. 4xx: the request; 5xx: try again.",
        "content": {"application/problem+json": {"schema": PROBLEM}},
    }
}


def describe(app: FastAPI) -> dict[str, Any]:
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes
        )
        _complete(document)
        app.openapi_schema = document
    return app.openapi_schema


def _complete(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    for name in GENERATED:
        schemas.pop(name, None)
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas |= problem.pop("$defs") | {"Problem": problem}
    document["components"]["securitySchemes"] = CREDENTIALS
    for method, path, operation in operations(document):
        operation["responses"].pop("422", None)
        operation["responses"] |= REFUSALS
        if not path.startswith(OPEN):
            operation["security"] = [{name: []} for name in CREDENTIALS]
        if example := examples().get(f"{method} {path}"):
            _exemplify(operation, example)


def operations(document: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


@cache
def examples() -> Mapping[str, Any]:
    """By method and path: `path` and `query` parameters, `body`, and the `status` and `answer` they had."""
    text = resources.files("api.management").joinpath("examples.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def _exemplify(operation: dict[str, Any], example: Mapping[str, Any]) -> None:
    values = {**example["path"], **example["query"]}
    for parameter in operation.get("parameters", ()):
        if parameter["name"] in values:
            parameter["example"] = values[parameter["name"]]
    if "requestBody" in operation and example["body"] is not None:
        operation["requestBody"]["content"]["application/json"]["example"] = example["body"]
    content = operation["responses"][str(example["status"])].get("content", {})
    if "application/json" in content:
        content["application/json"]["example"] = example["answer"]


def parameters_of(path: str) -> list[str]:
    return re.findall(r"{(\w+)}", path)
