"""A person on the whole platform: added, signed in, and gone again."""

import httpx2 as httpx
import jwt

from tests.e2e.conftest import Platform

PASSWORD = "correct horse battery"  # noqa: S105 - of nobody


def test_a_person_signs_in_changes_a_flag_and_is_disabled(platform: Platform) -> None:
    management = platform.management
    grants = [{"role": "editor", "project": "default"}]
    new = {"email": "ana@example.org", "name": "Ana", "password": PASSWORD, "grants": grants}
    person = management.post("/api/v1/people", json=new).json()["id"]
    with httpx.Client(base_url=platform.ready["management_url"]) as ana:
        told = ana.post("/api/v1/auth/token", json={"email": new["email"], "password": PASSWORD}).json()
        (key,) = jwt.PyJWKSet.from_dict(ana.get("/.well-known/jwks.json").json()).keys
        audience = "togglemaster-management"
        assert jwt.decode(told["access_token"], key, ["EdDSA"], audience=audience)["sub"] == person
        ana.headers["Authorization"] = f"Bearer {told['access_token']}"
        flag = {"key": "of-ana", "type": "boolean", "variants": {"on": True, "off": False}}
        created = ana.post("/api/v1/projects/default/flags", json=flag)
        assert created.json()["created_by"] == "ana@example.org"
        assert ana.post("/api/v1/projects", json={"key": "anas", "name": "Ana's"}).status_code == 403
        management.patch(f"/api/v1/people/{person}", json={"disabled": True})
        assert ana.get("/api/v1/projects").status_code == 401
        refused = ana.post("/api/v1/auth/refresh", json={"refresh_token": told["refresh_token"]})
        assert refused.status_code == 401
