"""What the commands about webhooks decide."""

from collections.abc import Iterable, Mapping
from typing import get_args

from commands.codec import EVENTS
from commands.deciding import Handler, Salt, the_project
from commands.models import (
    ChangeWebhook,
    Command,
    PauseWebhook,
    RegisterWebhook,
    RemoveWebhook,
    ResumeWebhook,
    RotateWebhookSecret,
)
from commands.unit_of_work import UnitOfWork
from domain import limits, webhook
from domain.envelope import Stream, webhook_stream
from domain.errors import AlreadyExists, Invalid
from domain.events import WebhookEvent, WebhookRegistered
from domain.project import require_environment
from domain.webhook import Webhook, existing

SENT = set(EVENTS) - {event.__name__ for event in get_args(WebhookEvent)}
"""The names of the events that webhooks are told of."""

AboutAWebhook = (
    RegisterWebhook | ChangeWebhook | RotateWebhookSecret | PauseWebhook | ResumeWebhook | RemoveWebhook
)


def _register(work: UnitOfWork, command: RegisterWebhook, _: Salt) -> Stream:
    _refuse_unknown(work, command.project, command.events, command.environments)
    _refuse_one_too_many(work, command.project)
    if work.webhook(command.project, command.id):
        raise AlreadyExists(f"webhook '{command.id}' exists already")
    return _decided(work, command, [WebhookRegistered(**dict(command))])


def _change(work: UnitOfWork, command: ChangeWebhook, _: Salt) -> Stream:
    found = _the_webhook(work, command)
    _refuse_unknown(work, command.project, command.events or (), command.environments or ())
    wanted = command.model_dump(exclude={"project", "id"}, exclude_none=True)
    return _decided(work, command, webhook.change(found, **wanted))


def _rotate(work: UnitOfWork, command: RotateWebhookSecret, _: Salt) -> Stream:
    found = _the_webhook(work, command)
    return _decided(work, command, webhook.rotate(found, previous_until=command.previous_until))


def _pause(work: UnitOfWork, command: PauseWebhook, _: Salt) -> Stream:
    return _decided(work, command, webhook.pause(_the_webhook(work, command), why=command.why))


def _resume(work: UnitOfWork, command: ResumeWebhook, _: Salt) -> Stream:
    return _decided(work, command, webhook.resume(_the_webhook(work, command)))


def _remove(work: UnitOfWork, command: RemoveWebhook, _: Salt) -> Stream:
    return _decided(work, command, webhook.remove(work.webhook(command.project, command.id)))


def _decided(work: UnitOfWork, command: AboutAWebhook, events: Iterable[WebhookEvent]) -> Stream:
    stream = webhook_stream(command.project, command.id)
    work.decide(stream, events)
    return stream


def _the_webhook(work: UnitOfWork, command: AboutAWebhook) -> Webhook:
    return existing(work.webhook(command.project, command.id), command.id)


def _refuse_unknown(
    work: UnitOfWork, project: str, events: Iterable[str], environments: Iterable[str]
) -> None:
    found = the_project(work, project)
    for environment in environments:
        require_environment(found, environment)
    for name in events:
        if name not in SENT:
            raise Invalid(f"there is no event '{name}' to be told of; there are {', '.join(sorted(SENT))}")


def _refuse_one_too_many(work: UnitOfWork, project: str) -> None:
    if sum(not each.removed for each in work.webhooks(project)) >= limits.WEBHOOKS:
        raise Invalid(
            f"project '{project}' has {limits.WEBHOOKS} webhooks, which is the most; remove one, or let one"
            " receiver pass events on"
        )


HANDLERS: Mapping[type[Command], Handler] = {
    RegisterWebhook: _register,
    ChangeWebhook: _change,
    RotateWebhookSecret: _rotate,
    PauseWebhook: _pause,
    ResumeWebhook: _resume,
    RemoveWebhook: _remove,
}
