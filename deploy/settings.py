"""Everything that differs between one installation and another, read from the environment."""

import os
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from deploy.told import Told
from domain.recording import RecordingMode

MANAGEMENT_PORT, EVALUATION_PORT = 8080, 8081
ORIGINAL_PORT = 8001  # of the original system's five services the first

ORIGINAL_NAMES = {
    "admin_key": "MASTER_KEY",
    "postgres_url": "DATABASE_URL",
    "redis_url": "REDIS_URL",
    "aws_region": "AWS_REGION",
    "port": "PORT",
}
"""What the original system's deployments call these settings; our own names win."""

Port = Annotated[int, Field(ge=1, le=65535)]


class OriginalNames(PydanticBaseSettingsSource):
    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        return os.environ.get(ORIGINAL_NAMES.get(field_name, "")) or None, field_name, False

    def __call__(self) -> dict[str, Any]:
        return {name: os.environ[given] for name, given in ORIGINAL_NAMES.items() if os.environ.get(given)}


def _between_commas(value: Any) -> Any:
    return value.split(",") if isinstance(value, str) else value


class Settings(BaseSettings):
    """Each is read from `TOGGLEMASTER_<NAME>`; credentials for AWS come the way AWS's own tools read them.

    A variable that is empty counts as not there.
    """

    model_config = SettingsConfigDict(
        env_prefix="TOGGLEMASTER_", env_ignore_empty=True, extra="ignore", populate_by_name=True
    )

    postgres_url: str = Field(
        "postgresql://postgres@127.0.0.1:5432/togglemaster",
        description="where the log of events is; PostgreSQL's usual address on one machine",
    )
    postgres_seconds: float = Field(
        1.2,
        gt=0,
        le=60,
        description="how long the management API waits for an answer of PostgreSQL before it answers 503;"
        " 1.2 keeps the promise of 2 seconds",
    )
    redis_url: str = Field(
        "redis://127.0.0.1:6379/0",
        description="where the ruleset is that evaluators read; Redis' usual address on one machine",
    )
    aws_endpoint_url: str | None = Field(
        None, description="where SQS and DynamoDB are; empty means AWS itself, by region"
    )
    aws_region: str = Field("us-east-1", description="AWS region of the queue and the tables")
    queue_name: str = Field("togglemaster-evaluations", description="SQS queue of evaluation results")
    queue_wait_seconds: int = Field(
        5,
        ge=1,
        le=20,
        description="how long the consumer waits for messages; longer costs fewer requests, and stops later",
    )
    consumer_threads: int = Field(
        4,
        ge=1,
        le=32,
        description="batches of messages that a consumer stores at a time; four keep a core busy",
    )
    usage_table: str = Field("togglemaster-usage", description="DynamoDB table of counts")
    records_table: str = Field("togglemaster-records", description="DynamoDB table of single evaluations")
    admin_key: str = Field(
        "", description="the administrator's key; the management API does not start without one"
    )
    secret: str = Field(
        "",
        description="what other secrets, those of webhooks, are derived from; empty means the administrator's"
        " key, so that a laptop needs one secret less",
    )
    oidc_issuer: str = Field(
        "", description="`iss` of the tokens of people who sign in elsewhere; empty, as most begin without"
    )
    oidc_audience: str = Field("", description="`aud` of those tokens: what the issuer knows ToggleMaster as")
    oidc_jwks_url: str = Field("", description="where that issuer publishes its keys: https, or this machine")
    webhook_allow_private: bool = Field(
        False, description="lets webhooks lead to private addresses, and to http; off, as users give them"
    )
    records: RecordingMode = Field(
        "exposures",
        description="which single evaluations are recorded beside the counts where an environment does not"
        " say; exposures are one per subject, flag and variant in an hour at most, enough for experiments",
    )
    flush_seconds: float = Field(
        1.0,
        gt=0,
        description="how often an evaluator sends what it counted; until then it is in the spool",
    )
    spool_dir: str = Field(
        "",
        description="where an evaluator keeps evaluations until SQS has them; empty is a temporary directory"
        " that ends with the process, as only you know one that outlives it and is private",
    )
    spool_counters: int = Field(
        100_000,
        ge=1,
        description="how many counts (a minute, a flag, an answer each) wait in it at most; 100 flags with"
        " four answers each fill it in four hours without SQS",
    )
    spool_megabytes: int = Field(
        64,
        ge=1,
        description="how many MiB of records wait in it at most; half a million single evaluations",
    )
    copy_dir: str = Field(
        "",
        description="where an evaluator keeps a copy of what it serves, to start from while Redis is away;"
        " empty, as only you know a directory that outlives the process and is private",
    )
    requests_per_second: float = Field(
        0,
        ge=0,
        description="how often one key may ask one evaluator; 0 is no limit, as servers keep their keys",
    )
    public_url: str = Field(
        "",
        description="where clients find the evaluation API, for event streams; empty: where they ask",
    )
    evaluation_url: str = Field(
        "", description="where this installation's evaluation API is, for what forwards to it"
    )
    original_queue_url: str = Field(
        "",
        validation_alias="AWS_SQS_URL",
        description="a queue of the original system, consumed too; its own name, so that its settings fit",
    )
    original_table: str = Field(
        "",
        validation_alias="AWS_DYNAMODB_TABLE",
        description="the original system's table, written too; empty, as new installations have nobody who"
        " reads it",
    )
    host: str = Field("127.0.0.1", description="address that the HTTP processes listen on; safe by default")
    port: Port | None = Field(
        None, description="port; 8080 for management and 8081 for evaluation when empty"
    )
    also_ports: Annotated[tuple[Port, ...], NoDecode, BeforeValidator(_between_commas)] = Field(
        (),
        description="more ports that this process listens on, with commas between them; none, as one is"
        " enough for all but the original system's clients",
    )
    metrics_port: Port | None = Field(
        None,
        description="port of a worker's metrics and health; empty, as several workers may run on one machine",
    )
    idempotency_hours: float = Field(
        24.0,
        gt=0,
        description="how long a request with an Idempotency-Key is remembered; clients retry for less",
    )
    management_url: str = Field(
        f"http://127.0.0.1:{MANAGEMENT_PORT}",
        description="where the command line asks for history, undo and what-if",
    )
    token: str = Field(
        "",
        description="an access token of whoever asks there; empty means the administrator's key, enough on a"
        " laptop",
    )
    canary_management_url: str = Field(
        f"http://127.0.0.1:{MANAGEMENT_PORT}", description="where the canary gives its commands"
    )
    canary_key: str = Field(
        "",
        description="its access token there; empty means the administrator's key, enough on a laptop",
    )
    canary_evaluation_url: str = Field(
        f"http://127.0.0.1:{EVALUATION_PORT}", description="where the canary asks what is served"
    )
    canary_evaluation_key: str = Field(
        "",
        description="its server key there; empty, as it can make one for a day each time it starts",
    )
    canary_seconds: float = Field(
        60.0, gt=0, description="how often the canary flips its flag; each flip is an event that is kept"
    )
    canary_limit_seconds: float = Field(
        5.0, gt=0, description="how soon a flip has to be served, before it counts as failed"
    )
    console: bool = Field(
        True,
        description="serves the console at /console of the management API; on, as people look for it first",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="what is written to standard error"
    )
    log_format: Literal["text", "json"] = Field(
        "text",
        description="how: text for whoever reads along, or a JSON object a line for what collects logs",
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        del dotenv_settings, file_secret_settings  # neither is used
        return init_settings, env_settings, OriginalNames(settings_cls)


class BadSettings(Told):
    """Says which variable holds what it may not."""


def read_settings() -> Settings:
    """Raises BadSettings. What was given is not told, as it may be a secret."""
    try:
        return Settings()
    except ValidationError as problem:
        told = [f"{_variable(each['loc'][0])}: {each['msg']}" for each in problem.errors()]
        raise BadSettings(f"the environment cannot be used: {'; '.join(told)}") from problem


def _variable(field: int | str) -> str:
    name = str(field)
    if name not in Settings.model_fields:  # a name of its own
        return name
    ours = f"TOGGLEMASTER_{name.upper()}"
    return ours if os.environ.get(ours) else ORIGINAL_NAMES.get(name, ours)
