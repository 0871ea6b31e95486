"""People who sign in elsewhere: an issuer on this machine, its keys, and what its tokens may say."""

from collections.abc import Iterator
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from fastapi.testclient import TestClient

from api.management.app import create_app
from api.management.issuer import (
    KEYS_BYTES,
    FetchFailed,
    Issuer,
    IssuerAddress,
    fetch,
    is_acceptable,
    keys_of,
)
from deploy.embedded import free_port
from deploy.processes.common import NotConfigured
from deploy.processes.management import parts
from deploy.settings import Settings
from domain.person import Person
from tests.integration.management import ADMIN, Management, refused
from tests.integration.oidc import AUDIENCE, PRIVATE, LocalIssuer, local_issuer, public_jwk
from tests.integration.signing_in import EMAIL, ID, Ana, grant
from tests.waiting import eventually

ANA = Person(ID, EMAIL, "Ana")


@pytest.fixture
def issuer() -> Iterator[LocalIssuer]:
    with local_issuer() as issuer:
        yield issuer


@pytest.fixture
def trusting(issuer: LocalIssuer) -> Issuer:
    """The issuer as we see it, with the keys it began with."""
    found = Issuer(_address(issuer), {ID: ANA}.get)
    found.refresh()
    return found


def _address(issuer: LocalIssuer) -> IssuerAddress:
    return IssuerAddress(issuer.url, AUDIENCE, f"{issuer.url}/keys")


def test_a_person_signs_in_elsewhere_with_the_roles_they_have_here(
    api: Management, issuer: LocalIssuer
) -> None:
    """The keys are there soon after the process started; nobody asked for them."""
    settings = Settings(
        postgres_url=api.store.url,
        admin_key=ADMIN,
        aws_endpoint_url=f"http://127.0.0.1:{free_port()}",
        oidc_issuer=issuer.url,
        oidc_audience=AUDIENCE,
        oidc_jwks_url=f"{issuer.url}/keys",
    )
    found = parts(settings)
    with TestClient(create_app(found), raise_server_exceptions=False) as client:
        ana = Ana(client)
        refused(ana.me(issuer.token()), 401)
        ana.add(password=None, grants=[grant("editor")])
        eventually(lambda: ana.me(issuer.token()).status_code == 200)
        for algorithm in PRIVATE:
            token = issuer.token(algorithm, email=" ANA@Example.org", groups=["admin"], aud=[AUDIENCE, "x"])
            assert ana.me(token).json() == {"name": EMAIL, "person": ID, "grants": [grant("editor")]}
        ana.change(grants=[])
        assert ana.me(issuer.token()).json()["grants"] == []
        ana.change(disabled=True)
        refused(ana.me(issuer.token()), 401)
    assert issuer.asked == ["/keys"]
    for part in (found.store, found.people.tables):
        part.close()


def test_a_key_that_is_not_known_is_not_looked_for(trusting: Issuer, issuer: LocalIssuer) -> None:
    issuer.publish([public_jwk("RS256", kid="new")])
    token = issuer.token(header={"kid": "new"})
    for _ in range(20):
        assert trusting.principal(token) is None
    assert issuer.asked == ["/keys"]
    assert trusting.principal(issuer.token()) is not None
    trusting.refresh()
    assert trusting.principal(token) is not None
    assert trusting.principal(issuer.token()) is None


def _answers(issuer: LocalIssuer, **how: Any) -> None:
    for name, value in how.items():
        setattr(issuer, name, value)


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ({"status": 500}, "500"),
        ({"status": 302, "location": "/elsewhere"}, "302"),
        ({"body": b"x" * (KEYS_BYTES + 1)}, "more than"),
        ({"body": b"<html>"}, "no set of keys"),
        ({"body": b"[]"}, "no set of keys"),
        ({"body": b'{"keys": 1}'}, "no set of keys"),
        ({"body": b'{"keys": []}'}, "no RSA"),
        ({"body": b'{"keys": [], "keys": []}'}, "twice"),
        ({"body": b""}, "no set of keys"),
    ],
)
def test_keys_that_cannot_be_had_leave_those_there_are(
    trusting: Issuer, issuer: LocalIssuer, how: dict[str, Any], why: str
) -> None:
    _answers(issuer, **how)
    with pytest.raises(FetchFailed, match=why):
        trusting.refresh()
    assert "/elsewhere" not in issuer.asked
    assert trusting.principal(issuer.token()) is not None


def test_an_issuer_that_is_away_is_asked_again_and_harms_nobody(
    issuer: LocalIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.management.issuer.RETRY_SECONDS", 0.01)
    issuer.status = 503
    found = Issuer(_address(issuer), {ID: ANA}.get)
    found.start()
    eventually(lambda: len(issuer.asked) >= 2)
    assert found.principal(issuer.token()) is None
    issuer.status = 200
    eventually(lambda: found.principal(issuer.token()) is not None)
    found.stop()


def test_the_keys_are_fetched_again_and_again(issuer: LocalIssuer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.management.issuer.REFRESH_SECONDS", 0.01)
    found = Issuer(_address(issuer), {ID: ANA}.get)
    found.start()
    eventually(lambda: found.principal(issuer.token()) is not None)
    issuer.publish([public_jwk("ES256")])
    eventually(lambda: found.principal(issuer.token()) is None)
    assert found.principal(issuer.token("ES256")) is not None
    found.stop()


def test_even_what_nobody_foresaw_does_not_end_the_fetching(
    issuer: LocalIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.management.issuer.RETRY_SECONDS", 0.01)
    found = Issuer(_address(issuer), {ID: ANA}.get)
    monkeypatch.setattr("api.management.issuer.fetch", lambda _: 1 / 0)
    found.start()
    monkeypatch.undo()
    monkeypatch.setattr("api.management.issuer.RETRY_SECONDS", 0.01)
    eventually(lambda: found.principal(issuer.token()) is not None)
    found.stop()


def test_an_issuer_that_takes_its_time_is_not_waited_for(
    issuer: LocalIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.management.issuer.FETCH_SECONDS", -1.0)
    with pytest.raises(FetchFailed, match="did not come within"):
        fetch(f"{issuer.url}/keys")


def test_nobody_is_there_and_that_is_no_500() -> None:
    with pytest.raises(FetchFailed, match="refused"):
        fetch(f"http://127.0.0.1:{free_port()}/keys")


def short_rsa() -> dict[str, Any]:
    key = generate_private_key(65537, 1024)  # noqa: S505 - to be refused
    return {**jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": "RS256"}


@pytest.mark.parametrize(
    "key",
    [
        public_jwk("RS256", use="enc"),
        public_jwk("RS256", alg="RS512"),
        public_jwk("RS256", alg="HS256"),
        public_jwk("RS256", key_ops=["encrypt"]),
        public_jwk("RS256", key_ops="verify"),
        public_jwk("RS256", kid=""),
        public_jwk("RS256", kid=7),
        public_jwk("RS256", kty="EC"),
        public_jwk("RS256", n="AQAB"),
        public_jwk("RS256", n="%%%"),
        public_jwk("ES256", crv="P-384"),
        public_jwk("ES256", x="AAAA"),
        public_jwk("EdDSA", crv="X25519"),
        public_jwk("EdDSA", x=""),
        jwt.algorithms.OKPAlgorithm.to_jwk(PRIVATE["EdDSA"], as_dict=True) | {"kid": "EdDSA"},
        {"kty": "oct", "k": "c2VjcmV0", "kid": "oct", "alg": "HS256"},
        {"kid": "RS256"},
        short_rsa(),
        "RS256",
        None,
    ],
)
def test_a_key_that_is_not_for_this_is_left_out(key: Any) -> None:
    usable = public_jwk("ES256", kid="usable")
    assert set(keys_of(_set(key, usable))) == {"usable"}
    with pytest.raises(FetchFailed):
        keys_of(_set(key))


def _set(*keys: Any) -> bytes:
    issuer = LocalIssuer("")
    issuer.publish(list(keys))
    return issuer.body


def test_a_kid_that_names_two_keys_names_none() -> None:
    both = [public_jwk("RS256", kid="a"), public_jwk("ES256", kid="a"), public_jwk("EdDSA")]
    assert set(keys_of(_set(*both))) == {"EdDSA"}


def test_a_key_needs_to_say_no_more_than_what_it_is() -> None:
    for algorithm in PRIVATE:
        bare = {name: value for name, value in public_jwk(algorithm).items() if name not in {"use", "alg"}}
        assert keys_of(_set(bare))[algorithm].algorithm == algorithm


@pytest.mark.parametrize(
    ("url", "acceptable"),
    [
        ("https://login.example.org/keys", True),
        ("http://127.0.0.1:8000/keys", True),
        ("http://[::1]/keys", True),
        ("http://localhost/keys", True),
        ("http://login.example.org/keys", False),
        ("http://127.0.0.1.example.org/keys", False),
        ("http://10.0.0.1/keys", False),
        ("https:///keys", False),
        ("file:///etc/passwd", False),
        ("ftp://127.0.0.1/keys", False),
        ("http://[", False),
        ("keys", False),
    ],
)
def test_keys_come_over_https_or_from_this_machine(url: str, acceptable: bool) -> None:
    assert is_acceptable(url) is acceptable
    settings = Settings(admin_key=ADMIN, oidc_issuer="i", oidc_audience="a", oidc_jwks_url=url)
    if acceptable:
        assert parts(settings).people.issuer is not None
    else:
        with pytest.raises(NotConfigured, match="https://"):
            parts(settings)


def test_half_an_issuer_is_told_so() -> None:
    with pytest.raises(NotConfigured, match="all three"):
        parts(Settings(admin_key=ADMIN, oidc_issuer="https://login.example.org"))
