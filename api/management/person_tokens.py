"""The tokens people ask with: JWTs, signed with Ed25519, for ten minutes at most."""

import hashlib
import secrets
import time
from base64 import urlsafe_b64encode
from dataclasses import dataclass

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from api.management.signed import Unverified, VerifyKey, opened, verified
from domain.person import Person

ALGORITHM = "EdDSA"
LIFETIME_SECONDS = 600
TYPE = "at+jwt"  # RFC 9068; no other sort of token is signed with this key
HEADER = {"alg", "kid", "typ"}
ISSUER = "togglemaster"
AUDIENCE = "togglemaster-management"
TOKEN_ID_BYTES = 16


@dataclass(frozen=True, slots=True)
class SignedIn:
    """`epoch` is the person's when the token was issued; another one by now means it is void."""

    person: str
    epoch: int


class PersonTokens:
    def __init__(self, seed: bytes) -> None:
        """`seed` is the private key: 32 bytes that follow from the installation's secret, so that every
        process signs and verifies with the same one."""
        self._private = Ed25519PrivateKey.from_private_bytes(seed)
        public = self._private.public_key()
        self._x = _base64url(public.public_bytes_raw())
        self.kid = _thumbprint(self._x)
        self._key = VerifyKey(self.kid, ALGORITHM, public)

    def issue(self, person: Person) -> str:
        now = int(time.time())
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": person.id,
            "iat": now,
            "exp": now + LIFETIME_SECONDS,
            "jti": secrets.token_hex(TOKEN_ID_BYTES),
            "epoch": person.epoch,
        }
        return jwt.encode(claims, self._private, ALGORITHM, headers={"kid": self.kid, "typ": TYPE})

    def read(self, text: str) -> SignedIn | None:
        token = opened(text)
        if token is None or not _is_ours(token):
            return None
        if not verified(token, self._key, issuer=ISSUER, audience=AUDIENCE, now=time.time()):
            return None
        claims = token.claims
        person, epoch = claims["sub"], claims.get("epoch")
        if not isinstance(claims["aud"], str) or type(epoch) is not int:
            return None
        return SignedIn(person, epoch) if claims["exp"] - claims["iat"] <= LIFETIME_SECONDS else None

    def jwks(self) -> dict[str, list[dict[str, str]]]:
        """The public key as RFC 7517 and RFC 8037 write it."""
        key = {"kty": "OKP", "crv": "Ed25519", "x": self._x}
        return {"keys": [{**key, "kid": self.kid, "use": "sig", "alg": ALGORITHM}]}


def _is_ours(token: Unverified) -> bool:
    return token.header.keys() == HEADER and token.header["typ"] == TYPE


def _thumbprint(x: str) -> str:
    """RFC 7638: the SHA-256 of the required members, in the order of their names, without spaces."""
    return _base64url(hashlib.sha256(f'{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}'.encode()).digest())


def _base64url(content: bytes) -> str:
    return urlsafe_b64encode(content).decode().rstrip("=")
