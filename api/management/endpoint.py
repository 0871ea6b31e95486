"""The route that tells where applications ask for their flags."""

from fastapi import APIRouter
from pydantic import BaseModel

from api.http import StrictRoute
from api.management.context import Reader
from domain.values import Slug

router = APIRouter(prefix="/projects/{project}/endpoint", tags=["projects"], route_class=StrictRoute)


class Endpoint(BaseModel):
    """`evaluation_url` is empty where this installation was not told it."""

    evaluation_url: str


@router.get("")
def show_endpoint(project: Slug, read: Reader) -> Endpoint:
    """Where the evaluation API is for clients: an OFREP provider's base URL."""
    read.project(project)
    return Endpoint(evaluation_url=read.parts.evaluation_url)
