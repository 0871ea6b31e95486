"""What Terraform makes is what the processes look for, and what their roles allow is what they do."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from deploy.settings import Settings
from projections.aws import (
    MAX_RECEIVE_COUNT,
    RECORD_KEYS,
    RETENTION_SECONDS,
    SUBJECT_INDEX,
    SUBJECT_KEY,
    TTL,
    USAGE_KEYS,
    VISIBILITY_SECONDS,
    dead_name,
)
from projections.eviction import what_is_wrong
from tests.deploy.aws_calls import all_calls
from tests.deploy.known import DEPLOY, ROOT, documents, setting_names
from tests.deploy.manifests import name_of, of_kind
from tests.deploy.terraform import DIRECTORY, blocks, files, filled_in, local, output, resource

TERRAFORM = shutil.which("terraform")
SETTINGS = Settings()
PRODUCTION = DEPLOY / "kubernetes" / "overlays" / "production"
TABLES = {
    "usage": (SETTINGS.usage_table, USAGE_KEYS),
    "records": (SETTINGS.records_table, RECORD_KEYS),
}


@pytest.mark.skipif(TERRAFORM is None, reason="there is no terraform on this machine to ask")
def test_terraform_finds_nothing_to_format(tmp_path: Path) -> None:
    (tmp_path / "rc").touch()
    ran = subprocess.run(
        [str(TERRAFORM), "fmt", "-check", "-diff", str(DIRECTORY)],
        capture_output=True,
        text=True,
        check=False,
        env={"TF_CLI_CONFIG_FILE": str(tmp_path / "rc"), "CHECKPOINT_DISABLE": "1"},
    )
    assert (ran.returncode, ran.stdout) == (0, "")


@pytest.mark.parametrize("table", TABLES)
def test_a_table_is_as_setup_makes_it(table: str) -> None:
    made, (name, keys) = resource("aws_dynamodb_table", table), TABLES[table]
    assert filled_in(made["name"]) == name
    assert (made["hash_key"], made["range_key"]) == keys
    assert made["billing_mode"] == "PAY_PER_REQUEST"
    assert made["ttl"] == [{"attribute_name": TTL, "enabled": True}]
    assert made["point_in_time_recovery"] == [{"enabled": True}]
    assert made["server_side_encryption"] == [{"enabled": True}]
    attributes = {*keys, SUBJECT_KEY} if table == "records" else {*keys}
    assert {each["name"]: each["type"] for each in made["attribute"]} == dict.fromkeys(attributes, "S")


def test_records_can_be_found_by_subject() -> None:
    assert resource("aws_dynamodb_table", "records")["global_secondary_index"] == [
        {
            "name": SUBJECT_INDEX,
            "hash_key": SUBJECT_KEY,
            "range_key": RECORD_KEYS[1],
            "projection_type": "KEYS_ONLY",
        }
    ]


def test_the_queues_are_as_setup_makes_them() -> None:
    queue, dead = resource("aws_sqs_queue", "evaluations"), resource("aws_sqs_queue", "dead")
    assert filled_in(queue["name"]) == SETTINGS.queue_name
    assert filled_in(dead["name"]) == dead_name(SETTINGS.queue_name)
    assert queue["visibility_timeout_seconds"] == VISIBILITY_SECONDS
    assert {each["message_retention_seconds"] for each in (queue, dead)} == {RETENTION_SECONDS}
    assert f"maxReceiveCount = {MAX_RECEIVE_COUNT}" in queue["redrive_policy"]
    assert "deadLetterTargetArn = aws_sqs_queue.dead.arn" in queue["redrive_policy"]


def test_valkey_is_one_that_the_projector_takes() -> None:
    parameters = resource("aws_elasticache_parameter_group", "valkey")["parameter"]
    policy = {each["name"]: each["value"] for each in parameters}["maxmemory-policy"]
    assert not what_is_wrong(policy)


def test_what_is_stored_is_encrypted_and_backed_up() -> None:
    postgres, valkey = (
        resource("aws_db_instance", "postgres"),
        resource("aws_elasticache_replication_group", "valkey"),
    )
    assert postgres["storage_encrypted"] is True
    assert postgres["publicly_accessible"] is False
    assert postgres["backup_retention_period"] == "${var.backup_days}"
    assert postgres["skip_final_snapshot"] is False
    assert valkey["at_rest_encryption_enabled"] is True
    assert valkey["transit_encryption_enabled"] is True
    image = resource("aws_ecr_repository", "image")
    assert image["image_tag_mutability"] == "IMMUTABLE"
    assert image["image_scanning_configuration"] == [{"scan_on_push": True}]


def rights() -> dict[str, set[str]]:
    return {process: set().union(*parts.values()) for process, parts in local("rights").items()}


def test_every_call_in_the_code_is_some_roles_or_is_made_by_hand() -> None:
    """Which role makes which is in test_aws_rights.py; a new call is noticed here."""
    by_hand = {  # `togglemaster setup` without Terraform, and `analytics forget` in the original's table
        "dynamodb:Scan",
        "dynamodb:UpdateTable",
        "dynamodb:UpdateTimeToLive",
        "sqs:CreateQueue",
    }
    assert all_calls() - set().union(*rights().values()) == by_hand


def test_rights_are_about_one_thing_each() -> None:
    for process, parts in local("rights").items():
        assert parts.keys() <= local("resources").keys(), process
    assert not [text for each in local("resources").values() if "*" in (text := str(each))]
    (document,) = [
        each["aws_iam_policy_document"]["rights"]
        for each in blocks("data")
        if "rights" in each.get("aws_iam_policy_document", {})
    ]
    assert document["dynamic"][0]["statement"]["content"] == [
        {"actions": "${statement.value}", "resources": ["${local.resources[statement.key]}"]}
    ]


def test_each_role_is_for_a_service_account_that_a_process_has() -> None:
    annotated = {
        name_of(each)
        for each in of_kind("production", "ServiceAccount")
        if "eks.amazonaws.com/role-arn" in each["metadata"].get("annotations", {})
    }
    assert annotated == rights().keys() - {"keda"}


def test_outputs_are_the_files_of_the_overlay() -> None:
    written = dict(line.split("=", 1) for line in (PRODUCTION / "settings.env").read_text().splitlines())
    assert set(re.findall(r"TOGGLEMASTER_\w+", output("settings"))) == written.keys()
    assert written.keys() <= setting_names()
    defaults = {f"TOGGLEMASTER_{name}".upper(): str(value) for name, value in SETTINGS}
    assert written.items() <= defaults.items()
    accounts = documents((PRODUCTION / "service-accounts.yaml").read_text())
    assert {name_of(each) for each in accounts} == rights().keys() - {"keda"}


def test_secrets_have_the_keys_that_the_manifests_ask_for() -> None:
    given = set(
        re.findall(
            r'"([a-z-]+)" ?[=:]', resource("aws_secretsmanager_secret_version", "settings")["secret_string"]
        )
    )
    assert given == {"postgres-url", "redis-url", "secret"}, "admin-key is made by `togglemaster key`"


def references() -> list[tuple[str, str, str]]:
    """(file, kind, name) of what files refer to."""
    return [
        (file.name, kind, name)
        for file in sorted(DIRECTORY.glob("*.tf"))
        for kind, name in re.findall(r"\b(var|local|aws_\w+|random_\w+)\.(\w+)", file.read_text())
    ]


def test_every_reference_leads_somewhere() -> None:
    """What `terraform validate` would find, which needs the providers from the network."""
    known = {("var", name) for each in blocks("variable") for name in each}
    known |= {("local", name) for each in blocks("locals") for name in each}
    known |= {
        (kind, name)
        for each in [*blocks("resource"), *blocks("data")]
        for kind in each
        for name in each[kind]
    }
    assert [each for each in references() if each[1:] not in known] == []


def test_every_variable_is_used_explained_and_in_the_example_where_it_has_no_default() -> None:
    variables: dict[str, Any] = {name: each[name] for each in blocks("variable") for name in each}
    used = {name for _, kind, name in references() if kind == "var"}
    assert variables.keys() == used
    assert [name for name, each in variables.items() if not each.get("description")] == []
    example = (DIRECTORY / "example.tfvars").read_text()
    given = set(re.findall(r"^(\w+) *=", example, re.MULTILINE))
    assert given == {name for name, each in variables.items() if "default" not in each}


def test_every_file_is_read() -> None:
    assert len(files()) == len(list((ROOT / "deploy" / "terraform").glob("*.tf"))) > 8
