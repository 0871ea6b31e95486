"""Tokens that are none: each is a 401 in words, and none makes this process call anybody."""

import base64
import hashlib
import hmac
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from fastapi.testclient import TestClient

from api.management.app import create_app
from api.management.issuer import fetch
from api.management.person_tokens import AUDIENCE, ISSUER, PersonTokens
from commands.secret_keys import derive
from deploy.embedded import free_port
from deploy.processes.management import parts
from deploy.settings import Settings
from domain.person import Person, person_id
from tests.figures import tell
from tests.integration import oidc
from tests.integration.management import ADMIN, Management, refused
from tests.integration.oidc import LocalIssuer, local_issuer
from tests.integration.signing_in import EMAIL, ID, Ana, bearer, grant

TOKENS = PersonTokens(derive(ADMIN, "access tokens", "ed25519"))
PRIVATE = TOKENS._private
STRANGER = Ed25519PrivateKey.generate()
HEADER = {"alg": "EdDSA", "kid": TOKENS.kid, "typ": "at+jwt"}
CALLS = ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "urllib.Request")

Outward = list[tuple[str, Any]]
outward: Outward = []
listening = False


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    if listening and event in CALLS:
        outward.append((event, arguments[-1]))


sys.addaudithook(_hear)


def base64url(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def claims(**more: Any) -> dict[str, Any]:
    now = int(time.time())
    usual = {"iss": ISSUER, "aud": AUDIENCE, "sub": ID, "iat": now, "exp": now + 600, "jti": "1", "epoch": 1}
    return {name: value for name, value in {**usual, **more}.items() if value is not ...}


def signed(header: Any, payload: Any, sign: Callable[[bytes], bytes] = PRIVATE.sign) -> str:
    """Header and payload are objects, or text that is taken as it is."""
    parts = (each if isinstance(each, str) else json.dumps(each) for each in (header, payload))
    told = ".".join(base64url(each.encode("utf-8", "surrogatepass")) for each in parts)
    return f"{told}.{base64url(sign(told.encode()))}"


def nothing(_: bytes) -> bytes:
    return b""


def mac_with(key: bytes, digest: str = "sha256") -> Callable[[bytes], bytes]:
    return lambda content: hmac.digest(key, content, digest)


def public_key_spellings() -> dict[str, bytes]:
    public = PRIVATE.public_key()
    (jwk,) = TOKENS.jwks()["keys"]
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return {
        "raw": public.public_bytes_raw(),
        "pem": pem,
        "pem stripped": pem.strip(),
        "der": public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        "jwk": json.dumps(jwk).encode(),
        "jwk compact": json.dumps(jwk, separators=(",", ":")).encode(),
        "x": jwk["x"].encode(),
        "jwks": json.dumps(TOKENS.jwks()).encode(),
        "openssh": public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH),
        "empty": b"",
    }


def unsigned() -> Iterator[tuple[str, str]]:
    for alg in ("none", "None", "NONE", "nOnE", "none ", "", "null", None, [], ["EdDSA"], 0, False):
        for sign in (nothing, PRIVATE.sign):
            yield f"alg {alg!r} {sign.__name__}", signed({**HEADER, "alg": alg}, claims(), sign)
    yield "no alg", signed({"kid": TOKENS.kid, "typ": "at+jwt"}, claims())
    yield "no signature", signed(HEADER, claims(), nothing)
    yield "signature of nothing", signed(HEADER, claims(), lambda _: PRIVATE.sign(b""))
    yield "zeros", signed(HEADER, claims(), lambda _: bytes(64))


def confused() -> Iterator[tuple[str, str]]:
    for name, key in public_key_spellings().items():
        for alg, digest in (("HS256", "sha256"), ("HS384", "sha384"), ("HS512", "sha512")):
            yield f"{alg} {name}", signed({**HEADER, "alg": alg}, claims(), mac_with(key, digest))
    for alg in ("RS256", "ES256", "PS256", "ES256K", "Ed25519", "Ed448", "eddsa", "EDDSA"):
        yield f"alg {alg}", signed({**HEADER, "alg": alg}, claims())


def foreign(issuer: LocalIssuer) -> Iterator[tuple[str, str]]:
    jwk = {"kty": "OKP", "crv": "Ed25519", "x": base64url(STRANGER.public_key().public_bytes_raw())}
    yield "foreign key", signed(HEADER, claims(), STRANGER.sign)
    yield "foreign kid", signed({**HEADER, "kid": "other"}, claims(), STRANGER.sign)
    for kid in ("other", "", None, 0, [TOKENS.kid], TOKENS.kid + "\0", "../../etc/passwd", "' OR 1=1 --"):
        yield f"kid {kid!r}", signed({**HEADER, "kid": kid}, claims())
    yield "no kid", signed({"alg": "EdDSA", "typ": "at+jwt"}, claims())
    there = f"{issuer.url}/stolen"
    certificate = [base64.b64encode(b"certificate").decode()]
    for name, value in {"jku": there, "x5u": there, "jwk": jwk, "x5c": certificate}.items():
        for kid in (TOKENS.kid, "other", there):
            for sign in (STRANGER.sign, PRIVATE.sign):
                yield f"{name} {kid}", signed({**HEADER, "kid": kid, name: value}, claims(), sign)
    yield "iss", signed(HEADER, claims(iss=there), STRANGER.sign)
    for crit in (["exp"], ["b64"], [], "exp", None, ["x"]):
        yield f"crit {crit}", signed({**HEADER, "crit": crit, "x": 1}, claims())
    yield "b64", signed({**HEADER, "b64": False, "crit": ["b64"]}, claims())
    for typ in ("JWE", "logout+jwt", "JWT", "", None, 1):
        yield f"typ {typ}", signed({**HEADER, "typ": typ}, claims())
    yield "zip", signed({**HEADER, "zip": "DEF"}, claims())
    yield "another installation", PersonTokens(b"s" * 32).issue(Person(ID, EMAIL, "Ana", epoch=1))


def untimely() -> Iterator[tuple[str, str]]:
    now = int(time.time())
    wrong: dict[str, dict[str, Any]] = {
        "expired": {"iat": now - 700, "exp": now - 100},
        "just expired": {"iat": now - 600, "exp": now},
        "not yet": {"nbf": now + 60},
        "from tomorrow": {"iat": now + 86400, "exp": now + 86400 + 600},
        "for too long": {"exp": now + 601},
        "for ever": {"exp": 2**62},
        "beyond": {"exp": 2**63},
        "astronomical": {"exp": 10**400},
        "backwards": {"iat": now + 4, "exp": now + 3},
        "nbf text": {"nbf": "soon"},
        "nbf null": {"nbf": None},
    }
    values: list[Any] = [..., None, "", str(now + 60), float(now + 60), -1, True, [now + 60], {}, 0]
    for name in ("iat", "exp"):
        for value in values:
            wrong[f"{name} {value!r}"] = {name: value}
    for name, more in wrong.items():
        yield name, signed(HEADER, claims(**more))
    for number in ("1e400", "NaN", "Infinity", "-Infinity", f"{now + 60}.0", f"{now + 60}e0"):
        yield number, signed(HEADER, json.dumps(claims(exp="?")).replace('"?"', number))


def misaddressed(issuer: LocalIssuer) -> Iterator[tuple[str, str]]:
    for iss in (..., None, "", "ToggleMaster", [ISSUER], issuer.url, {"iss": ISSUER}, 1):
        yield f"iss {iss!r}", signed(HEADER, claims(iss=iss))
    for aud in (..., None, "", "other", [AUDIENCE], [AUDIENCE, "other"], {AUDIENCE: 1}, oidc.AUDIENCE):
        yield f"aud {aud!r}", signed(HEADER, claims(aud=aud))
    nobody = person_id("nobody@example.org")
    for sub in (..., None, "", 1, [ID], nobody, EMAIL, "*", "../" + ID, "\0", "é" * 32):
        yield f"sub {sub!r}", signed(HEADER, claims(sub=sub))
    yield "a disabled person's", signed(HEADER, claims(sub=person_id("bo@example.org"), epoch=1))
    for epoch in (..., None, 0, 2, -1, "1", 1.0, True, [1], 2**62):
        yield f"epoch {epoch!r}", signed(HEADER, claims(epoch=epoch))


def misspelled(good: str) -> Iterator[tuple[str, str]]:
    head, body, signature = good.split(".")
    last = signature[-1]
    padded = {"A": "B", "Q": "R", "g": "h", "w": "x"}.get(last, "_")
    wrong = {
        "no signature": f"{head}.{body}.",
        "two segments": f"{head}.{body}",
        "one segment": head,
        "four segments": f"{good}.{signature}",
        "five segments": f"{head}.{body}.{body}.{body}.{signature}",
        "dots": "..",
        "leading dot": f".{good}",
        "trailing dot": f"{good}.",
        "padding": f"{head}=.{body}.{signature}=",
        "padding once": f"{good}=",
        "padding twice": f"{good}==",
        "standard alphabet": good.replace("-", "+").replace("_", "/") + "+",
        "other last bits": good[:-1] + padded,
        "cut": good[:-1],
        "cut by two": good[:-2],
        "longer": good + "AAAA",
        "space inside": f"{head}. {body}.{signature}",
        "tab inside": f"{head}.{body}\t.{signature}",
        "percent": good.replace(".", "%2E"),
        "quoted": f'"{good}"',
        "twice": f"{good},{good}",
        "scheme twice": f"Bearer {good}",
        "upper case": good.upper(),
        "no header": f".{body}.{signature}",
        "no body": f"{head}..{signature}",
        "body as header": f"{body}.{body}.{signature}",
        "swapped": f"{body}.{head}.{signature}",
        "a megabyte": good + "A" * 2**20,
        "a megabyte of header": "A" * 2**20 + f".{body}.{signature}",
        "a megabyte of dots": "." * 2**20,
    }
    yield from wrong.items()


def ambiguous() -> Iterator[tuple[str, str]]:
    head, body = json.dumps(HEADER), json.dumps(claims())
    yield "alg twice", signed(head.replace("{", '{"alg": "none", ', 1), body)
    yield "alg twice, last", signed(head.replace("}", ', "alg": "EdDSA"}'), body)
    yield "kid twice", signed(head.replace("{", '{"kid": "other", ', 1), body)
    yield "sub twice", signed(head, body.replace("{", '{"sub": "other", ', 1))
    yield "exp twice", signed(head, body.replace("}", ', "exp": 1e9}'))
    yield "escaped name twice", signed(head, body.replace("{", '{"su\\u0062": "other", ', 1))
    yield "a byte order mark", signed("\ufeff" + head, body)
    yield "half a surrogate pair", signed(head, body.replace("{", '{"x": "\\ud800", ', 1))
    yield "raw half a surrogate pair", signed(head, body.replace("{", '{"x": "\ud800", ', 1))
    yield "NUL", signed(head, body.replace("{", '{"x": "\\u0000", ', 1))
    yield "raw NUL", signed(head, body.replace("{", '{"x": "\0", ', 1))
    yield "deep", signed(head, body.replace("{", '{"x": ' + "[" * 1000 + "]" * 1000 + ", ", 1))
    yield "deep in the header", signed(head.replace("{", '{"x": ' + "[" * 1000 + "]" * 1000 + ", ", 1), body)
    yield "more in the header", signed(head.replace("{", '{"\u202ealg": "none", ', 1), body)
    yield "trailing", signed(head, body + "{}")
    yield "comment", signed(head, "/**/" + body)
    for value in ("[]", "null", "1", '"x"', "", "{", "true", "[[[[", "{}"):
        yield f"header {value}", signed(value, body)
        yield f"payload {value}", signed(head, value)


def nested(good: str) -> Iterator[tuple[str, str]]:
    yield "a token in a token", signed({**HEADER, "cty": "JWT"}, good)
    head, body, signature = good.split(".")
    yield "JWS as JSON", json.dumps({"protected": head, "payload": body, "signature": signature})
    private = PRIVATE.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    yield "a private key", private.replace("\n", "")


def elsewhere(issuer: LocalIssuer) -> Iterator[tuple[str, str]]:
    """Of the issuer where people sign in too."""
    there, public = issuer.token, json.dumps(oidc.public_jwk("RS256")).encode()
    spelled = oidc.PRIVATE["RS256"].public_key()
    pem = spelled.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    told = jwt.decode(there(), options={"verify_signature": False})
    for key in (public, pem, pem.strip(), b""):
        yield "HS256", signed({"alg": "HS256", "kid": "RS256"}, told, mac_with(key))
    yield "none", signed({"alg": "none", "kid": "RS256"}, told, nothing)
    yield "our key", signed({"alg": "EdDSA", "kid": "EdDSA"}, told)
    yield "our kid", signed(HEADER, told)
    yield "unknown kid", there(header={"kid": "new"})
    yield "another's kid", there(header={"kid": "ES256"})
    yield "no kid", jwt.encode(told, oidc.PRIVATE["RS256"], "RS256")
    for name in ("jku", "x5u"):
        yield name, there(header={name: f"{issuer.url}/stolen"})
        yield f"{name} and kid", there(header={name: f"{issuer.url}/stolen", "kid": "new"})
    yield "PS256", jwt.encode(told, oidc.PRIVATE["RS256"], "PS256", headers={"kid": "RS256"})
    yield "RS512", jwt.encode(told, oidc.PRIVATE["RS256"], "RS512", headers={"kid": "RS256"})
    now = int(time.time())
    for more in (
        {"aud": "other"},
        {"aud": None},
        {"aud": ["other"]},
        {"iss": issuer.url + "/"},
        {"exp": now - 1},
        {"exp": None},
        {"iat": None},
        {"sub": None},
        {"nbf": now + 60},
        {"iat": now + 60},
        {"email": None},
        {"email": "nobody@example.org"},
        {"email": "bo@example.org"},
        {"email": "\u212a" + EMAIL},
        {"email": [EMAIL]},
        {"email_verified": None},
        {"email_verified": False},
        {"email_verified": "true"},
        {"email_verified": 1},
    ):
        yield f"{more}", there(**more)


@pytest.fixture
def issuer() -> Iterator[LocalIssuer]:
    with local_issuer() as issuer:
        yield issuer


@pytest.fixture
def ana(api: Management, issuer: LocalIssuer) -> Iterator[Ana]:
    """On a process that takes tokens of the issuer too, with its keys fetched."""
    settings = Settings(
        postgres_url=api.store.url,
        admin_key=ADMIN,
        aws_endpoint_url=f"http://127.0.0.1:{free_port()}",
        oidc_issuer=issuer.url,
        oidc_audience=oidc.AUDIENCE,
        oidc_jwks_url=f"{issuer.url}/keys",
    )
    found = parts(settings)
    assert found.people.issuer is not None
    found.people.issuer.refresh()
    found = replace(found, background=())
    with TestClient(create_app(found), raise_server_exceptions=False) as client:
        ana = Ana(client)
        ana.add(grants=[grant("viewer")])
        bo = ana.add("bo@example.org").json()["id"]
        ana.change(bo, disabled=True)
        yield ana
    for part in (found.store, found.people.tables):
        part.close()


def test_no_such_token_is_let_in_and_none_calls_anybody(
    ana: Ana, issuer: LocalIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    access, refresh = ana.tokens()
    corpus = [
        *unsigned(),
        *confused(),
        *foreign(issuer),
        *untimely(),
        *misaddressed(issuer),
        *misspelled(access),
        *ambiguous(),
        *nested(access),
        *elsewhere(issuer),
        ("a refresh token", refresh),
        ("a digest", hashlib.sha256(access.encode()).hexdigest()),
    ]
    assert ana.me(signed(HEADER, claims())).json()["name"] == EMAIL
    assert ana.me(issuer.token()).json()["name"] == EMAIL
    asked = list(issuer.asked)
    monkeypatch.setattr("tests.integration.test_jwt_corpus.listening", True)
    outward.clear()
    for name, token in corpus:
        for headers in (bearer(token), {"X-API-Key": token}):
            sent = {header: value.encode("utf-8", "replace") for header, value in headers.items()}
            answer = ana.client.get("/api/v1/auth/me", headers=sent)  # type: ignore[arg-type]
            assert answer.status_code == 401, (name, answer.text)
            refused(answer, 401)
    monkeypatch.setattr("tests.integration.test_jwt_corpus.listening", False)
    assert len(corpus) > 250
    assert outward == []
    assert issuer.asked == asked
    tell("forged and spoilt tokens", tried=2 * len(corpus), let_in=0, other_5xx=0, outbound_calls=0)
    assert ana.me(access).status_code == 200


def test_the_listener_for_calls_does_hear_them(issuer: LocalIssuer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.integration.test_jwt_corpus.listening", True)
    outward.clear()
    fetch(f"{issuer.url}/keys")
    assert {event for event, _ in outward} >= {"urllib.Request", "socket.connect"}
