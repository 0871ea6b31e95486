"""PostgreSQL, Valkey, SQS and DynamoDB as child processes, for a machine that has nothing but Python.

    with embedded_stack(Path("/var/lib/togglemaster")) as stack:
        psycopg.connect(stack.postgres.url)

Start them from a thread that lives as long as they should: Linux ends a child with the thread that
started it. None of them asks for a password: any user of this machine can reach them on 127.0.0.1.
"""

from deploy.embedded.aws import start_aws
from deploy.embedded.place import EmbeddedError
from deploy.embedded.postgres import start_postgres
from deploy.embedded.process import Part, die_with_parent, free_port, stop, usable_port, why_not_bindable
from deploy.embedded.stack import NAMES, Stack, embedded_parts, embedded_stack
from deploy.embedded.valkey import start_valkey

__all__ = [
    "NAMES",
    "EmbeddedError",
    "Part",
    "Stack",
    "die_with_parent",
    "embedded_parts",
    "embedded_stack",
    "free_port",
    "start_aws",
    "start_postgres",
    "start_valkey",
    "stop",
    "usable_port",
    "why_not_bindable",
]
