# SPDX-License-Identifier: AGPL-3.0-or-later
"""Reading one `DKIM-Signature` field (RFC 6376 section 3.5). What is not fit to prove anything is not read at all.

Not fit, besides what is malformed: `l=`, which leaves room for other text after the signed one (section 8.2); a signature that does not
cover `From`; SHA-1 (RFC 8301); an identity outside of the signing domain; a name that DNS could not hold.
"""

import re
from dataclasses import dataclass

from razdar.wire.dkim.tags import TagError, decode_base64, parse_tags, words
from razdar.wire.mime import Field

ALGORITHMS = {"rsa-sha256": "rsa", "ed25519-sha256": "ed25519"}
"""Algorithms by their name in `a=`, and the kind of key that each needs."""
_NAME = re.compile(r"(?=.{1,253}\Z)[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?)*+")
_NUMBER = re.compile(r"[0-9]{1,12}")
_FORMS = {"simple": False, "relaxed": True}
_NEEDED = {"v", "a", "b", "bh", "d", "h", "s"}


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature that could prove something."""

    domain: str
    selector: str
    algorithm: str
    signed: tuple[str, ...]
    """Names of the signed fields in lower case, as often as each is signed."""
    is_header_relaxed: bool
    is_body_relaxed: bool
    body_digest: bytes
    value: bytes
    expires: int | None
    """Unix seconds."""
    is_of_subdomain: bool
    """The identity (`i=`) is in a subdomain of `domain`."""
    field: Field

    @property
    def key_name(self) -> str:
        """Where DNS has the key (section 3.6.2.1)."""
        return f"{self.selector}._domainkey.{self.domain}"


def parse_signature(field: Field) -> Signature | None:
    """The signature, or None if it proves nothing whatever its key says."""
    try:
        tags = parse_tags(field.raw[len(field.name) + 1 : -2])
        return _read(tags, field) if tags.keys() >= _NEEDED else None
    except TagError:
        return None


def _read(tags: dict[str, str], field: Field) -> Signature | None:
    domain, selector, algorithm, signed = tags["d"].lower(), tags["s"].lower(), tags["a"].lower(), words(tags["h"])
    header_form, _, body_form = tags.get("c", "simple/simple").lower().partition("/")
    identity = tags.get("i", f"@{domain}").lower().rpartition("@")[2]
    created, expires = _number(tags, "t"), _number(tags, "x")
    is_fit = (
        tags["v"] == "1"
        and algorithm in ALGORITHMS
        and "l" not in tags
        and "from" in signed
        and "" not in signed
        and header_form in _FORMS
        and (body_form or "simple") in _FORMS
        and "dns/txt" in words(tags.get("q", "dns/txt"))
        and _NAME.fullmatch(domain) is not None
        and _NAME.fullmatch(selector) is not None
        and (identity == domain or identity.endswith(f".{domain}"))
        and (created is None or expires is None or created < expires)
    )
    if not is_fit:
        return None
    return Signature(
        domain=domain,
        selector=selector,
        algorithm=algorithm,
        signed=signed,
        is_header_relaxed=_FORMS[header_form],
        is_body_relaxed=_FORMS[body_form or "simple"],
        body_digest=decode_base64(tags["bh"]),
        value=decode_base64(tags["b"]),
        expires=expires,
        is_of_subdomain=identity != domain,
        field=field,
    )


def _number(tags: dict[str, str], name: str) -> int | None:
    if name not in tags:
        return None
    if _NUMBER.fullmatch(tags[name]) is None:
        raise TagError("not a number")
    return int(tags[name])


def without_value(raw: bytes) -> bytes:
    """The field as it was signed: the value of its `b=` is empty (section 3.5); everything else stays, its CRLF included."""
    name, _, value = raw[:-2].partition(b":")
    pieces = value.split(b";")
    for number, piece in enumerate(pieces):
        tag, equals, _ = piece.partition(b"=")
        if tag.strip(b" \t\r\n") == b"b":
            pieces[number] = tag + equals
    return name + b":" + b";".join(pieces) + b"\r\n"
