"""A person, and how they sign in."""

from dataclasses import dataclass
from typing import Any

from fastapi.testclient import TestClient
from httpx2 import Response

from domain.person import person_id
from tests.integration.management import ADMIN

EMAIL = "ana@example.org"
ID = person_id(EMAIL)
PASSWORD = "correct horse battery"  # noqa: S105 - of nobody
AS_ADMIN = {"X-API-Key": ADMIN}


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@dataclass
class Ana:
    """Asks as a person; `person` and the like ask as the administrator."""

    client: TestClient

    def add(self, email: str = EMAIL, **more: Any) -> Response:
        new = {"email": email, "name": "Ana", "password": PASSWORD, **more}
        return self.client.post("/api/v1/people", json=new, headers=AS_ADMIN)

    def change(self, person: str = ID, **more: Any) -> Response:
        return self.client.patch(f"/api/v1/people/{person}", json=more, headers=AS_ADMIN)

    def sign_in(self, password: str = PASSWORD, email: str = EMAIL) -> Response:
        return self.client.post("/api/v1/auth/token", json={"email": email, "password": password})

    def tokens(self) -> tuple[str, str]:
        found = self.sign_in().json()
        return found["access_token"], found["refresh_token"]

    def refresh(self, token: str) -> Response:
        return self.client.post("/api/v1/auth/refresh", json={"refresh_token": token})

    def me(self, token: str) -> Response:
        return self.client.get("/api/v1/auth/me", headers=bearer(token))


def grant(role: str, project: str = "default", environment: str = "") -> dict[str, str]:
    return {"role": role, "project": project, "environment": environment}
