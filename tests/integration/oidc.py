"""An OpenID Connect issuer on this machine, with keys of its own, that counts who asks it."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

AUDIENCE = "togglemaster-at-work"
PRIVATE: dict[str, Any] = {
    "RS256": generate_rsa(65537, 2048),
    "ES256": generate_private_key(SECP256R1()),
    "EdDSA": Ed25519PrivateKey.generate(),
}
WRITERS: dict[str, Callable[..., Any]] = {
    "RS256": RSAAlgorithm.to_jwk,
    "ES256": ECAlgorithm.to_jwk,
    "EdDSA": OKPAlgorithm.to_jwk,
}


def public_jwk(algorithm: str, **more: Any) -> dict[str, Any]:
    """The kid is the algorithm's name."""
    found: dict[str, Any] = WRITERS[algorithm](PRIVATE[algorithm].public_key(), as_dict=True)
    found.pop("key_ops", None)
    return {**found, "kid": algorithm, "use": "sig", "alg": algorithm, **more}


class LocalIssuer:
    """`asked` are the paths that were asked for; `body`, `status` and `location` are what it answers."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.asked: list[str] = []
        self.status, self.location = 200, ""
        self.publish([public_jwk(algorithm) for algorithm in PRIVATE])

    def publish(self, keys: list[dict[str, Any]]) -> None:
        self.body = json.dumps({"keys": keys}).encode()

    def token(self, algorithm: str = "RS256", header: dict[str, Any] | None = None, **claims: Any) -> str:
        now = int(time.time())
        usual = {"iss": self.url, "aud": AUDIENCE, "sub": "42", "iat": now, "exp": now + 3600}
        who = {"email": "ana@example.org", "email_verified": True}
        told = {name: value for name, value in {**usual, **who, **claims}.items() if value is not None}
        return jwt.encode(told, PRIVATE[algorithm], algorithm, headers={"kid": algorithm, **(header or {})})


@contextmanager
def local_issuer() -> Iterator[LocalIssuer]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            issuer.asked.append(self.path)
            self.send_response(issuer.status)
            if issuer.location:
                self.send_header("Location", issuer.location)
            self.send_header("Content-Length", str(len(issuer.body)))
            self.end_headers()
            self.wfile.write(issuer.body)

        do_POST = do_HEAD = do_GET  # noqa: N815 - names that http.server looks for

        def log_message(self, *_: Any) -> None:
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        issuer = LocalIssuer(f"http://127.0.0.1:{server.server_port}")
        serving = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        serving.start()
        yield issuer
        server.shutdown()
        serving.join()
