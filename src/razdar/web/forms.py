# SPDX-License-Identifier: AGPL-3.0-or-later
"""Reading a form: a few short fields, and who may use a ticket."""

from dataclasses import dataclass

from starlette.requests import Request

from razdar.model.address import Address, parse_address
from razdar.web.numerals import ascii_digits

PASSWORD_MAX = 256  # characters; fits into a code that phones can read
TICKET_MAX = 64


@dataclass(frozen=True, slots=True)
class Typed:
    """Address and password as somebody typed them."""

    text: str
    address: Address | None
    password: str
    is_sure: bool

    def mistake(self, domain: str) -> str:
        """The text that says what is wrong before anything is looked up, or ""."""
        if self.address is None or self.address.domain != domain:
            return "reconnect_foreign"
        return "" if 0 < len(self.password) <= PASSWORD_MAX else "reconnect_empty"


async def typed(request: Request) -> Typed:
    """What the form says; a keyboard's digits and blanks around it are understood."""
    async with request.form(max_files=0, max_fields=8) as form:
        text, password = str(form.get("address", "")).strip(), str(form.get("password", "")).strip()
        return Typed(text[:320], parse_address(ascii_digits(text)), password, form.get("sure") == "yes")


async def ticket(request: Request) -> str:
    """The form's ticket if it was sent from a page of ours, else "".

    Whoever knows a ticket has its account. So a ticket in a form that a foreign page sends counts for nothing: that page's maker may know
    it. Browsers say where a form comes from (Fetch Metadata); one that does not gets a fresh account each time.
    """
    async with request.form(max_files=0, max_fields=4) as form:
        sent = str(form.get("ticket", ""))
    is_ours = request.headers.get("sec-fetch-site") == "same-origin"
    return sent if is_ours and len(sent) <= TICKET_MAX else ""


def network(request: Request) -> bytes:
    """An opaque value, equal for visitors of one network; b"" if the edge did not say (servers/http.py)."""
    found = request.scope.get("state", {}).get("network", b"")
    return found if isinstance(found, bytes) else b""
