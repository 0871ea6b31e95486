"""What stands between a browser, or whoever says it is one, and the console: asked with real requests."""

import re
import subprocess
import sys
from collections.abc import Iterator
from http.cookies import SimpleCookie

import httpx2 as httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from api.console.gate import COOKIE
from tests.console.site import PASSWORD, Site

EVIL = "http://evil.example"
ENGINE = "EIO=4&transport=websocket&client_id="
FAILURES = 10  # that are allowed in a quarter of an hour: docs/access.md
ANSWER_SECONDS = 10
GUESS = "a guess of mine"
WITH = "import sys; from deploy.processes.management import build; from deploy.settings import Settings; "


@pytest.fixture
def person(site: Site) -> str:
    return site.person("viewer", site.project())


@pytest.fixture
def client(site: Site) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=site.console, timeout=60) as found:
        yield found


def from_here(site: Site) -> dict[str, str]:
    return {"Origin": site.url}


def sign_in(site: Site, client: httpx.Client, **form: str) -> httpx.Response:
    """Whether it led somebody in is for the test to say; form fields are `key`, or `email` and `password`."""
    return client.post("/sign-in", data=form, headers=from_here(site))


def signed_in(site: Site, client: httpx.Client) -> str:
    """The cookie's value, which the client keeps too."""
    answer = sign_in(site, client, key=site.admin_key)
    assert answer.status_code == 303
    return answer.cookies[COOKIE]


def is_signed_in(client: httpx.Client) -> bool:
    return client.get("/session", headers={"Sec-Fetch-Mode": "cors"}).status_code == 204


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": EVIL},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
    ],
)
def test_a_form_of_another_site_is_refused_and_changes_nothing(
    site: Site, client: httpx.Client, headers: dict[str, str]
) -> None:
    refused = client.post("/sign-in", data={"key": site.admin_key}, headers=headers)
    assert refused.status_code == 403
    assert "set-cookie" not in refused.headers
    signed_in(site, client)
    assert client.post("/sign-out", headers=headers).status_code == 403
    assert is_signed_in(client)
    assert client.post("/sign-out", headers={"Sec-Fetch-Site": "same-origin"}).status_code == 303
    assert not is_signed_in(client)


def test_the_cookie_is_not_for_scripts_nor_for_other_sites(site: Site, client: httpx.Client) -> None:
    def attributes(**headers: str) -> SimpleCookie:
        sent = {**from_here(site), **{name.replace("_", "-"): value for name, value in headers.items()}}
        return SimpleCookie(
            client.post("/sign-in", data={"key": site.admin_key}, headers=sent).headers["set-cookie"]
        )

    plain, secure = attributes()[COOKIE], attributes(X_Forwarded_Proto="https")[COOKIE]
    assert (plain["httponly"], plain["samesite"], plain["path"]) == (True, "Strict", "/console")
    assert plain["secure"] == ""  # a laptop has no certificate
    assert secure["secure"] is True
    assert plain.value != secure.value
    assert len(plain.value) >= 43  # 32 random bytes, in base64


def test_no_credential_is_told_to_the_browser(site: Site, client: httpx.Client, person: str) -> None:
    for form in ({"key": site.admin_key}, {"email": person, "password": PASSWORD}):
        answer = sign_in(site, client, **form)
        page = client.get("/", follow_redirects=True)
        said = str(answer.headers) + answer.text + str(page.headers) + page.text
        assert page.status_code == 200
        assert site.admin_key not in said
        assert not re.search(r"tm_[a-z]+_\w{8,}|eyJ[\w-]+\.[\w-]+\.", said)


def test_signing_in_again_makes_another_session_and_ends_the_first(site: Site, client: httpx.Client) -> None:
    first = signed_in(site, client)
    assert signed_in(site, client) != first
    with httpx.Client(base_url=site.console, cookies={COOKIE: first}) as thief:
        assert not is_signed_in(thief)


@pytest.mark.parametrize(
    "path", ["/", "/default/development/flags", "/session", "/_nicegui/x.js", "/nothing"]
)
def test_nothing_but_the_way_in_is_shown_to_whoever_is_not_signed_in(client: httpx.Client, path: str) -> None:
    page = client.get(path)
    assert (page.status_code, page.headers["location"].split("?")[0]) == (303, "/console/sign-in")
    assert client.get(path, headers={"Sec-Fetch-Mode": "cors"}).status_code == 401
    with httpx.Client(base_url=client.base_url, cookies={COOKIE: "made-up"}) as guessing:
        assert guessing.get(path).status_code == 303


def test_every_answer_says_what_a_browser_may_do_with_it(site: Site, client: httpx.Client) -> None:
    signed_in(site, client)
    pages = {"/default/development/flags": "page", "/sign-in": "plain", "/static/console.js": "plain"}
    for path, kind in pages.items():
        headers = client.get(path).headers
        policy = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
        assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
        assert "unsafe-inline" not in policy["script-src"]
        sources = {source for each in policy.values() for source in each.split()}
        assert all(source.startswith("'") for source in sources - {"data:"})
        assert ("'unsafe-eval'" in policy["script-src"]) == (kind == "page")
        assert ("'unsafe-inline'" in policy["style-src"]) == (kind == "page")
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"
        assert "server" not in headers
    first, second = (client.get("/default/development/flags") for _ in range(2))
    nonce, other = (
        re.findall(r"nonce-([\w-]+)", each.headers["content-security-policy"]) for each in (first, second)
    )
    assert nonce != other
    assert set(re.findall(r'<script nonce="([^"]*)"', first.text)) == set(nonce)


def test_a_nonce_is_for_the_pages_own_scripts_only(site: Site, client: httpx.Client) -> None:
    project = site.project("<script>alert(1)</script>")
    site.flag(project, "a<script>b", description="</script><script>alert(2)</script>")
    signed_in(site, client)
    page = client.get(f"/{project}/development/flags").text
    for each in re.findall(r"<script[^>]*>[^<]{0,20}", page):
        assert "nonce=" in each or "/console/static/" in each, each
    assert "<script>" not in page


def handshake(site: Site, client_id: str = "", **headers: str) -> ClientConnection:
    url = f"ws{site.console.removeprefix('http')}/_nicegui_ws/socket.io/?{ENGINE}{client_id}"
    return connect(url, additional_headers=headers, open_timeout=ANSWER_SECONDS)


def test_a_websocket_of_another_site_is_refused(site: Site, client: httpx.Client) -> None:
    cookie = f"{COOKIE}={signed_in(site, client)}"
    lying = {"Origin": site.url, "Sec-Fetch-Site": "cross-site"}
    for headers in ({"Origin": EVIL}, {"Origin": "null"}, {}, lying):
        with pytest.raises(InvalidStatus) as refused:
            handshake(site, Cookie=cookie, **headers)
        assert refused.value.response.status_code == 403
    with handshake(site, Cookie=cookie, Origin=site.url) as own:
        assert str(own.recv(ANSWER_SECONDS)).startswith("0{")


def test_a_websocket_without_a_session_is_refused(site: Site) -> None:
    for cookie in ("", f"{COOKIE}=made-up"):
        with pytest.raises(InvalidStatus) as refused:
            handshake(site, Cookie=cookie, Origin=site.url)
        assert refused.value.response.status_code == 403


def test_a_websocket_of_somebody_elses_page_is_refused(site: Site, client: httpx.Client) -> None:
    signed_in(site, client)
    page = client.get("/default/development/flags").text
    client_id = re.findall(r"'client_id': '([0-9a-f-]{36})'", page)[0]
    with httpx.Client(base_url=site.console) as other:
        stranger = f"{COOKIE}={signed_in(site, other)}"
    with pytest.raises(InvalidStatus) as refused:
        handshake(site, client_id, Cookie=stranger, Origin=site.url)
    assert refused.value.response.status_code == 403


def test_signing_out_cuts_the_websocket_off(site: Site, client: httpx.Client) -> None:
    cookie = f"{COOKIE}={signed_in(site, client)}"
    with handshake(site, Cookie=cookie, Origin=site.url) as own:
        own.recv(ANSWER_SECONDS)
        client.post("/sign-out", headers=from_here(site))
        with pytest.raises(ConnectionClosed):
            own.recv(ANSWER_SECONDS)


def test_a_link_is_made_for_a_credential_and_not_for_a_cookie(site: Site, client: httpx.Client) -> None:
    signed_in(site, client)
    assert client.post("/link", headers=from_here(site)).status_code == 401
    assert client.post("/link", headers={"Authorization": "Bearer tm_admin_made_up"}).status_code == 401


def test_a_link_that_a_browser_fetches_ahead_is_not_used_up(site: Site, client: httpx.Client) -> None:
    link = site.link()
    assert client.get(link, headers={"Sec-Purpose": "prefetch"}).status_code == 425
    assert client.get(link).status_code == 303


def test_failures_from_one_address_do_not_lock_out_another(
    site: Site, client: httpx.Client, person: str
) -> None:
    elsewhere = httpx.HTTPTransport(local_address="127.0.0.2")
    with httpx.Client(base_url=site.console, timeout=60, transport=elsewhere) as guessing:
        for n in range(FAILURES):
            answer = sign_in(site, guessing, email=f"nobody{n}@example.org", password=GUESS)
            assert answer.status_code == 401
        locked = sign_in(site, guessing, email=person, password=PASSWORD)
        assert locked.status_code == 429
        assert 'role="alert"' in locked.text
    assert sign_in(site, client, email=person, password=PASSWORD).status_code == 303


def test_the_console_can_be_off_and_then_costs_nothing(site: Site) -> None:
    """Neither memory nor time: what it is made with is not loaded."""
    for wanted in (True, False):
        code = f"build(Settings(console={wanted}, admin_key='x')); print('nicegui' in sys.modules)"
        ran = subprocess.run(
            [sys.executable, "-c", WITH + code],
            env=dict(site.environment),
            capture_output=True,
            text=True,
            check=True,
        )
        assert ran.stdout.strip() == str(wanted)
