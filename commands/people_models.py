"""What can be wanted of people. `by` is who wants it: nobody gives what is not theirs to give."""

from typing import Annotated

from pydantic import Field

from domain import limits
from domain.person import Email
from domain.roles import Grant, Principal
from domain.values import Model

PersonName = Annotated[str, Field(min_length=1, max_length=200)]
PersonGrants = Annotated[tuple[Grant, ...], Field(max_length=limits.GRANTS)]


class AddPerson(Model):
    email: Email
    name: PersonName
    grants: PersonGrants = ()
    by: Principal


class ChangePerson(Model):
    """What is absent stays. `grants` replaces those that `by` administers."""

    id: str
    name: PersonName | None = None
    grants: PersonGrants | None = None
    disabled: bool | None = None
    by: Principal


class ChangePassword(Model):
    """`credential` names the hash, which is kept already."""

    id: str
    credential: str


PeopleCommand = AddPerson | ChangePerson | ChangePassword
