"""The original's targeting service, which was Flask: one rule for each name, with or without its flag."""

from collections.abc import Mapping
from typing import Any

from api.legacy.answers import NO_CONTENT, Answer, Answered, flask_date, flask_error, flask_json
from api.legacy.bodies import BAD_RULES, body_of, is_name, members_of, new_name, switch_of
from api.legacy.parts import Asked
from api.legacy.writes import see, write
from commands.models import Command
from commands.original.rules import BadRules, Variants, rule_of
from commands.original.views import RuleView, View, variants_of
from commands.original.writing import ON_OFF, put_rule
from domain.targeting import Rule

NOT_FOUND = "Regra não encontrada"
NO_FIELDS = "'flag_name' e 'rules' (JSON) são obrigatórios"
NO_BODY = "Corpo da requisição obrigatório"
NO_FIELD = "Pelo menos um campo ('rules', 'is_enabled') é obrigatório"
FOREIGN = "tem variantes ou regras que esta API não sabe mostrar; mude-a pela API de gestão, em /api/v1"


def create(asked: Asked) -> Answer:
    members = members_of(body_of(asked))
    if "flag_name" not in members or "rules" not in members:
        raise Answered(flask_error(400, NO_FIELDS))
    name = new_name(members, "flag_name")
    rules, enabled = members["rules"], switch_of({"is_enabled": True, **members})
    _compiled(rules, name, ON_OFF, enabled)  # what is wrong with it comes before what it meets

    def decide(view: View) -> list[Command]:
        if view.is_foreign or (view.rule and view.rule.is_ours):
            raise _foreign(name)
        if view.rule:
            raise Answered(flask_error(409, f"Regra para a flag '{name}' já existe"))
        return put_rule(name, view.state, _compiled(rules, name, _variants(view), enabled))

    return flask_json(201, _shown(_the_rule(write(asked, name, decide))))


def read(asked: Asked) -> Answer:
    return flask_json(200, _shown(_the_rule(see(asked, _name(asked)))))


def change(asked: Asked) -> Answer:
    body = body_of(asked)
    if not body:
        raise Answered(flask_error(400, NO_BODY))
    members = members_of(body)
    if not members.keys() & {"rules", "is_enabled"}:
        raise Answered(flask_error(400, NO_FIELD))
    name = _name(asked)
    enabled = switch_of(members) if "is_enabled" in members else None
    if "rules" in members:
        _compiled(members["rules"], name, ON_OFF, True)

    def decide(view: View) -> list[Command]:
        now = _changeable(view, name)
        rules = members.get("rules", dict(now.rules))
        switch = now.is_enabled if enabled is None else enabled
        return put_rule(name, view.state, _compiled(rules, name, _variants(view), switch))

    return flask_json(200, _shown(_the_rule(write(asked, name, decide))))


def delete(asked: Asked) -> Answer:
    name = _name(asked)

    def decide(view: View) -> list[Command]:
        _changeable(view, name)
        return put_rule(name, view.state, None)

    write(asked, name, decide)
    return NO_CONTENT


def _compiled(rules: Any, name: str, variants: Variants, enabled: bool) -> Rule:
    try:
        return rule_of(rules, flag=name, variants=variants, enabled=enabled)
    except BadRules as problem:
        raise Answered(flask_error(400, BAD_RULES[problem.problem])) from problem


def _variants(view: View) -> Variants:
    return (variants_of(view.state) if view.state else None) or ON_OFF


def _changeable(view: View, name: str) -> RuleView:
    rule = _the_rule(view)
    if rule.is_ours:
        raise _foreign(name)
    return rule


def _the_rule(view: View) -> RuleView:
    if view.rule is None:
        raise Answered(flask_error(404, NOT_FOUND))
    return view.rule


def _foreign(name: str) -> Answered:
    return Answered(flask_error(409, f"A flag '{name}' {FOREIGN}"))


def _name(asked: Asked) -> str:
    """Of a rule that can be there."""
    if not is_name(asked.name):
        raise Answered(flask_error(404, NOT_FOUND))
    return asked.name


def _shown(rule: RuleView) -> Mapping[str, Any]:
    return {
        "id": rule.id,
        "flag_name": rule.flag_name,
        "is_enabled": rule.is_enabled,
        "rules": rule.rules,
        "created_at": flask_date(rule.created_at),
        "updated_at": flask_date(rule.updated_at),
    }
