"""How an application asks for the flag: with curl, and with OpenFeature in three languages."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import quote

from nicegui import ui

from api.console.elements import button, set_attributes, set_text, tag
from api.console.page import Page

UNKNOWN = "https://EVALUATION-API"  # where this installation was not told its own address
KEY = "tm_server_…"
COPY = """(event) => {
  const text = event.target.closest("[data-snippets]").querySelector("pre");
  getSelection().selectAllChildren(text);
  if (!navigator.clipboard) return emit(false);
  navigator.clipboard.writeText(text.textContent).then(() => emit(true), () => emit(false));
}"""


@dataclass(frozen=True, slots=True)
class Asked:
    url: str
    key: str
    type: str

    @property
    def quoted(self) -> str:
        """A literal of each of the languages."""
        return json.dumps(self.key, ensure_ascii=False)


def curl(asked: Asked) -> str:
    return (
        f"curl {asked.url}/ofrep/v1/evaluate/flags/{quote(asked.key, safe='')} \\\n"
        f"  -H 'Authorization: Bearer {KEY}' -H 'Content-Type: application/json' \\\n"
        """  -d '{"context": {"targetingKey": "user-1", "country": "BR"}}'"""
    )


PYTHON: Mapping[str, tuple[str, str]] = {
    "boolean": ("boolean", "False"),
    "string": ("string", '""'),
    "integer": ("integer", "0"),
    "float": ("float", "0.0"),
    "object": ("object", "{}"),
}
JAVASCRIPT: Mapping[str, tuple[str, str]] = {
    "boolean": ("Boolean", "false"),
    "string": ("String", "''"),
    "integer": ("Number", "0"),
    "float": ("Number", "0"),
    "object": ("Object", "{}"),
}
GO: Mapping[str, tuple[str, str]] = {
    "boolean": ("Boolean", "false"),
    "string": ("String", '""'),
    "integer": ("Int", "0"),
    "float": ("Float", "0"),
    "object": ("Object", "map[string]any{}"),
}
"""What OpenFeature calls a flag's type in its methods, and a default."""


def python(asked: Asked) -> str:
    method, default = PYTHON[asked.type]
    return f"""# pip install openfeature-sdk openfeature-provider-ofrep
from openfeature import api
from openfeature.contrib.provider.ofrep import OFREPProvider
from openfeature.evaluation_context import EvaluationContext

headers = {{"Authorization": "Bearer {KEY}"}}
api.set_provider(OFREPProvider("{asked.url}", headers_factory=lambda: headers))
context = EvaluationContext("user-1", {{"country": "BR"}})
value = api.get_client().get_{method}_value({asked.quoted}, {default}, context)"""


def javascript(asked: Asked) -> str:
    method, default = JAVASCRIPT[asked.type]
    return f"""// npm install @openfeature/server-sdk @openfeature/core @openfeature/ofrep-provider
import {{ OpenFeature }} from '@openfeature/server-sdk';
import {{ OFREPProvider }} from '@openfeature/ofrep-provider';

const headers = [['Authorization', 'Bearer {KEY}']];
await OpenFeature.setProviderAndWait(new OFREPProvider({{ baseUrl: '{asked.url}', headers }}));
const context = {{ targetingKey: 'user-1', country: 'BR' }};
const value = await OpenFeature.getClient().get{method}Value({asked.quoted}, {default}, context);"""


def go(asked: Asked) -> str:
    method, default = GO[asked.type]
    return f"""// go get github.com/open-feature/go-sdk github.com/open-feature/go-sdk-contrib/providers/ofrep
import (
    "context"

    "github.com/open-feature/go-sdk-contrib/providers/ofrep"
    "github.com/open-feature/go-sdk/openfeature"
)

provider := ofrep.NewProvider("{asked.url}", ofrep.WithBearerToken("{KEY}"))
if err := openfeature.SetProviderAndWait(provider); err != nil {{
    panic(err)
}}
client := openfeature.NewClient("app")
subject := openfeature.NewEvaluationContext("user-1", map[string]any{{"country": "BR"}})
value, err := client.{method}Value(context.Background(), {asked.quoted}, {default}, subject)"""


SNIPPETS: Mapping[str, tuple[str, Callable[[Asked], str]]] = {
    "curl": ("curl", curl),
    "python": ("Python", python),
    "javascript": ("JavaScript", javascript),
    "go": ("Go", go),
}


async def snippets(page: Page, key: str, type_: str) -> None:
    found = await page.api.get(page.where("endpoint"))
    asked = Asked(found["evaluation_url"] or UNKNOWN, key, type_)
    wanted = page.request.query_params.get("code", "")
    chosen = wanted if wanted in SNIPPETS else next(iter(SNIPPETS))
    with tag("div", data_snippets=""):
        with tag("div", classes="tabs", role="group", aria_label=page.t("flag.language")):
            buttons = {
                name: tag("button", title, "tab", type="button") for name, (title, _) in SNIPPETS.items()
            }
        text = tag("pre", "", "snippet", tabindex=0, aria_label=page.t("flag.code"))
        button(page.t("flag.copy"), lambda: None).on(
            "click", lambda event: _say_copied(page, copied=event.args), js_handler=COPY
        )
        if not found["evaluation_url"]:
            tag("p", page.t("flag.no_address"), "quiet")
        tag("p", page.t("flag.key_hint", environment=page.environment), "quiet")

    def choose(name: str) -> None:
        set_text(text, SNIPPETS[name][1](asked))
        for each, found in buttons.items():
            set_attributes(found, aria_pressed="true" if each == name else "false")

    def go_to(name: str) -> None:
        choose(name)
        query = {**page.request.query_params, "code": name}
        ui.navigate.history.replace(page.url(key=key, **query))

    for name, each in buttons.items():
        each.on("click", lambda name=name: go_to(name), args=[])
    choose(chosen)


def _say_copied(page: Page, *, copied: bool) -> None:
    page.say(page.t("flag.copied" if copied else "flag.selected"))
