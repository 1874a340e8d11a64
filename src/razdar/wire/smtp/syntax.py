# SPDX-License-Identifier: AGPL-3.0-or-later
"""The grammar of SMTP commands (RFC 5321 sections 4.1.1 and 4.1.2), no wider than chat clients and relays need.

Command lines come as text with one character for each byte, so that nothing in here can fail to decode. Functions return what they
found or the refusal that says what is wrong; they know neither states nor limits. Source routes (`@a:b@c`) and quoted local parts
are refused.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from razdar.model.address import Address, parse_address, undeliverable
from razdar.model.verdict import Refusal
from razdar.wire.smtp import replies
from razdar.wire.smtp.states import VERBS, Verb

_MAIL = re.compile(r"FROM:<([^<>]*)>(?: +(.*))?", re.ASCII | re.IGNORECASE)
_RCPT = re.compile(r"TO:<([^<>]*)>(?: +(.*))?", re.ASCII | re.IGNORECASE)
_PARAMETER = re.compile(r"([A-Za-z0-9][A-Za-z0-9-]*)(?:=([!-<>-~]+))?")
_HOST = re.compile(r"[!-~]+")

_Known = Mapping[str, re.Pattern[str]]
_MAIL_PARAMETERS: _Known = {
    "SIZE": re.compile(r"[0-9]{1,20}"),  # RFC 1870
    "BODY": re.compile(r"7BIT|8BITMIME", re.IGNORECASE),  # RFC 6152
    "SMTPUTF8": re.compile(r""),  # RFC 6531
    "AUTH": re.compile(r".+"),  # RFC 4954 section 5: read and not trusted, as if it were <>
}
_RCPT_PARAMETERS: _Known = {}  # no NOTIFY, no ORCPT: DSN is not announced (docs/specifications.md)


@dataclass(frozen=True, slots=True)
class Mail:
    """What MAIL says."""

    sender: Address | None
    size_bytes: int | None


def split_command(line: bytes) -> tuple[Verb | None, str]:
    """Verb and argument. None: no verb of ours."""
    name, _, argument = line.partition(b" ")
    return VERBS.get(name.upper()), argument.strip(b" ").decode("latin-1")


def is_host(argument: str) -> bool:
    """Whether EHLO was given anything printable; its truth is never relied on (RFC 5321 section 4.1.4)."""
    return _HOST.fullmatch(argument) is not None


def parse_mail(argument: str) -> Mail | Refusal:
    """`FROM:<reverse-path> parameters`."""
    found = _MAIL.fullmatch(argument)
    if found is None:
        return replies.BAD_MAIL_SYNTAX
    sender = parse_address(found[1])
    if sender is None and found[1]:
        return replies.BAD_SENDER_ADDRESS
    parameters = _parse_parameters(found[2] or "", _MAIL_PARAMETERS)
    if isinstance(parameters, Refusal):
        return parameters
    return Mail(sender, int(parameters["SIZE"]) if "SIZE" in parameters else None)


def parse_rcpt(argument: str, hostname: str, *, keeps_unfit: bool = False) -> Address | Refusal:
    """`TO:<forward-path> parameters`; `postmaster` may stand alone (RFC 5321 section 4.1.1.3).

    `keeps_unfit`: what is no address but can be printed is taken too, for the delivery report: a client gives up a whole message over one
    refused recipient (docs/interop.md, fact 5).
    """
    found = _RCPT.fullmatch(argument)
    if found is None:
        return replies.BAD_RCPT_SYNTAX
    is_postmaster = found[1].lower() == "postmaster"
    recipient = Address("postmaster", hostname.lower()) if is_postmaster else parse_address(found[1])
    if recipient is None and keeps_unfit:
        recipient = undeliverable(found[1].encode("latin-1").decode("utf-8", "replace"))
    if recipient is None:
        return replies.BAD_RECIPIENT_ADDRESS
    parameters = _parse_parameters(found[2] or "", _RCPT_PARAMETERS)
    return parameters if isinstance(parameters, Refusal) else recipient


def _parse_parameters(text: str, known: _Known) -> dict[str, str] | Refusal:
    """Name in upper case to value, "" if it has none."""
    parameters: dict[str, str] = {}
    for word in filter(None, text.split(" ")):
        found = _PARAMETER.fullmatch(word)
        if found is None:
            return replies.BAD_PARAMETER
        name, value = found[1].upper(), found[2] or ""
        if name not in known:
            return replies.UNKNOWN_PARAMETER
        if name in parameters or known[name].fullmatch(value) is None:
            return replies.BAD_PARAMETER
        parameters[name] = value
    return parameters
