"""Signing in elsewhere: tokens of an OpenID Connect issuer, verified with the keys it publishes.

The keys are fetched on a timer and at no other time: no token, whatever it says, makes this process call
anybody.
"""

import logging
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.client import HTTPException
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from pydantic import TypeAdapter, ValidationError

from api.management.signed import VerifyKey, opened, verified
from api.strict_json import BadJson, parse
from domain.person import Email, Person, person_id
from domain.roles import Principal

REFRESH_SECONDS = 300
RETRY_SECONDS = 15  # after a fetch that failed
CONNECT_SECONDS = 3.0
FETCH_SECONDS = 10.0
KEYS_BYTES = 256 * 1024  # a set has a few kilobytes
KEYS_AT_MOST = 100
RSA_BITS_AT_LEAST = 2048  # RFC 7518, section 3.3
ALGORITHMS: Mapping[tuple[str, str], str] = {
    ("RSA", ""): "RS256",
    ("EC", "P-256"): "ES256",
    ("OKP", "Ed25519"): "EdDSA",
}
"""By the key's type and curve."""

PRIVATE_MEMBERS = {"d", "k", "p", "q"}

log = logging.getLogger(__name__)
_EMAIL: TypeAdapter[str] = TypeAdapter(Email)


class FetchFailed(Exception):
    """The keys could not be had; the sentence says why."""


@dataclass(frozen=True, slots=True)
class IssuerAddress:
    """`issuer` is what its tokens have as `iss`, `audience` what they have to have as `aud`."""

    issuer: str
    audience: str
    jwks_url: str


class Issuer:
    """An authenticator. `start` begins to fetch the keys, and until the first time that worked nobody is
    known; when it fails later, the keys there were go on being used."""

    def __init__(self, address: IssuerAddress, find: Callable[[str], Person | None]) -> None:
        """`find` gives an enabled person by id."""
        self._address = address
        self._find = find
        self._keys: Mapping[str, VerifyKey] = {}
        self._stopping = threading.Event()

    def start(self) -> None:
        self._stopping = threading.Event()
        threading.Thread(target=self._run, args=(self._stopping,), name="issuer-keys", daemon=True).start()

    def stop(self) -> None:
        self._stopping.set()

    def refresh(self) -> None:
        """Raises FetchFailed, and then keeps the keys there are."""
        self._keys = keys_of(fetch(self._address.jwks_url))

    def principal(self, credential: str) -> Principal | None:
        token = opened(credential)
        if token is None or token.claims.get("iss") != self._address.issuer:
            return None
        key = self._keys.get(str(token.header.get("kid")))
        issuer, audience = self._address.issuer, self._address.audience
        if key is None or not verified(token, key, issuer=issuer, audience=audience, now=time.time()):
            return None
        email = _confirmed_address(token.claims)
        person = self._find(person_id(email)) if email else None
        return person.principal() if person else None

    def _run(self, stopping: threading.Event) -> None:
        pause = 0.0
        while not stopping.wait(pause):
            try:
                self.refresh()
                pause = REFRESH_SECONDS
            except FetchFailed as problem:
                log.warning("the issuer's keys stay as they are (%d): %s", len(self._keys), problem)
                pause = RETRY_SECONDS
            except Exception:  # whatever it is, this thread is what learns of a key that was withdrawn
                log.exception("the issuer's keys cannot be read")
                pause = RETRY_SECONDS


def is_acceptable(jwks_url: str) -> bool:
    """Whether keys may be fetched there: over https, or from this very machine."""
    try:
        parts = urlsplit(jwks_url)
    except ValueError:
        return False
    host = parts.hostname or ""
    return bool(host) and (parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(host)))


def keys_of(document: bytes) -> dict[str, VerifyKey]:
    """Those of a JWK set (RFC 7517) that can be used here, by `kid`. Raises FetchFailed where none can."""
    try:
        listed = parse(document)["keys"][:KEYS_AT_MOST]
    except (BadJson, KeyError, TypeError) as problem:
        raise FetchFailed(f"this is no set of keys: {problem}") from problem
    found = [key for each in listed if isinstance(each, dict) and (key := _key(each))]
    kids = [key.kid for key in found]
    usable = {key.kid: key for key in found if kids.count(key.kid) == 1}
    if not usable:
        raise FetchFailed("the set has no RSA, P-256 or Ed25519 key for signatures with a kid of its own")
    return usable


def _key(member: Mapping[str, Any]) -> VerifyKey | None:
    kid = member.get("kid")
    algorithm = ALGORITHMS.get((str(member.get("kty")), str(member.get("crv", ""))))
    if not isinstance(kid, str) or not kid or algorithm is None or PRIVATE_MEMBERS & member.keys():
        return None
    if member.get("use", "sig") != "sig" or member.get("alg", algorithm) != algorithm:
        return None
    operations = member.get("key_ops", ["verify"])
    if not isinstance(operations, list) or "verify" not in operations:
        return None
    try:
        key = jwt.PyJWK(dict(member), algorithm=algorithm).key
    except (jwt.PyJWTError, UnsupportedAlgorithm, ValueError, TypeError):
        return None
    too_short = algorithm == "RS256" and key.key_size < RSA_BITS_AT_LEAST
    return None if too_short else VerifyKey(kid, algorithm, key)


def _confirmed_address(claims: Mapping[str, Any]) -> str | None:
    if claims.get("email_verified") is not True:
        return None
    try:
        return _EMAIL.validate_python(claims.get("email"), strict=True)
    except ValidationError:
        return None


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


def fetch(url: str) -> bytes:
    """What is there; no redirect is followed. Raises FetchFailed."""
    handlers: list[urllib.request.BaseHandler] = [_NoRedirects()]
    if _is_loopback(urlsplit(url).hostname or ""):
        handlers.append(urllib.request.ProxyHandler({}))
    give_up = time.monotonic() + FETCH_SECONDS
    try:
        with urllib.request.build_opener(*handlers).open(url, timeout=CONNECT_SECONDS) as answer:
            return _read(answer, give_up)
    except (urllib.error.URLError, HTTPException, OSError) as problem:
        raise FetchFailed(f"{url}: {problem}") from problem


def _read(answer: Any, give_up: float) -> bytes:
    content = b""
    while part := answer.read1(KEYS_BYTES):
        content += part
        if len(content) > KEYS_BYTES:
            raise FetchFailed(f"the set of keys has more than {KEYS_BYTES} bytes")
        if time.monotonic() > give_up:
            raise FetchFailed(f"the set of keys did not come within {FETCH_SECONDS:.0f} s")
    return content


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
