"""Which calls to SQS and DynamoDB there are in our code, by IAM's names."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.deploy.known import ROOT

CLIENTS = {"sqs": "sqs", "dynamodb": "dynamodb", "_dynamodb": "dynamodb"}
PAGINATORS = {"query": "Query", "scan": "Scan"}
WAITERS = {"table_exists": "DescribeTable"}
# What IAM calls what boto3 calls otherwise.
ACTIONS = {
    "SendMessageBatch": "SendMessage",
    "DeleteMessageBatch": "DeleteMessage",
    "ChangeMessageVisibilityBatch": "ChangeMessageVisibility",
}


def calls_in(path: Path) -> set[str]:
    return {
        action
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        for action in _actions(node, node.func)
    }


def all_calls() -> set[str]:
    files = [file for package in ("projections", "workers") for file in (ROOT / package).rglob("*.py")]
    return set().union(*map(calls_in, files))


def _actions(call: ast.Call, called: ast.Attribute) -> Iterator[str]:
    receiver = called.value
    name = receiver.attr if isinstance(receiver, ast.Attribute) else getattr(receiver, "id", "")
    if (service := CLIENTS.get(name)) is None:
        return
    operation = _operation(call, called.attr)
    yield f"{service}:{ACTIONS.get(operation, operation)}"


def _operation(call: ast.Call, method: str) -> str:
    match method, call.args:
        case "get_paginator", [ast.Constant(value=str(name))]:
            return PAGINATORS[name]
        case "get_waiter", [ast.Constant(value=str(name))]:
            return WAITERS[name]
        case _:
            return "".join(part.capitalize() for part in method.split("_"))
