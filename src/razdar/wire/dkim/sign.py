# SPDX-License-Identifier: AGPL-3.0-or-later
"""Signing: relaxed/relaxed, so that what relays do to white space breaks nothing, and every name is signed once more than it occurs.

The extra mention of a name keeps others from adding a second field of it (RFC 6376 section 8.15). There is no `x=`: a message may wait in a
queue for 60 days. There is no `l=`. `t=` is left out where no time is given, because peers refuse signatures from the future and our
clock may be wrong.
"""

import base64
from collections import Counter
from collections.abc import Sequence
from typing import Protocol

from razdar.wire.dkim.canonical import body_digest
from razdar.wire.dkim.message import header_digest
from razdar.wire.dkim.signature import parse_signature
from razdar.wire.mime import FIELDS_MAX, HEADER_BYTES_MAX, Field, read_header

SIGNED = (
    *("from", "to", "cc", "subject", "date", "message-id", "in-reply-to", "references", "reply-to", "sender"),
    *("mime-version", "content-type", "content-transfer-encoding", "autocrypt", "auto-submitted", "secure-join", "chat-version"),
)
"""What a reader or an app goes by (section 5.4.1). `Message-ID` and `Date` are always there: the apps write them."""
_LINE = 72


class Signer(Protocol):
    """A private key that stays where it is."""

    @property
    def algorithm(self) -> str:
        """`rsa-sha256` or `ed25519-sha256`."""

    def sign(self, digest: bytes) -> bytes:
        """The signature over a SHA-256 digest."""


def sign(
    message: bytes,
    *,
    domain: str,
    selector: str,
    signer: Signer,
    now: int | None = None,
    header_bytes: int = HEADER_BYTES_MAX,
    header_fields: int = FIELDS_MAX,
) -> bytes:
    """The `DKIM-Signature` field to put before the message, CRLF included. `now` in unix seconds. Raises MimeError."""
    fields, start = read_header(message, limit_bytes=header_bytes, fields_max=header_fields)
    body_hash = base64.b64encode(body_digest(memoryview(message)[start:], is_relaxed=True)).decode()
    tags = [f"v=1; a={signer.algorithm}; c=relaxed/relaxed; d={domain}; s={selector};"]
    tags += [] if now is None else [f"t={now};"]
    lines = [*tags, *_folded(_names(fields)), f"bh={body_hash};", "b="]
    draft = ("DKIM-Signature: " + "\r\n\t".join(lines)).encode("ascii")
    signature = parse_signature(Field("dkim-signature", draft + b"\r\n"))
    if signature is None:
        raise ValueError("the domain or the selector is no name that DNS could hold")
    value = base64.b64encode(signer.sign(header_digest(fields, signature)))
    pieces = [value[at : at + _LINE] for at in range(0, len(value), _LINE)]
    return draft + b"\r\n\t ".join(pieces) + b"\r\n"


def _names(fields: Sequence[Field]) -> list[str]:
    counts = Counter(each.name for each in fields)
    return [name for name in SIGNED for _ in range(counts[name] + 1)]


def _folded(names: Sequence[str]) -> list[str]:
    """`h=`, in lines that every server takes (RFC 5322 section 2.1.1)."""
    lines, line = [], "h="
    for number, name in enumerate(names):
        part = f"{name}{';' if number == len(names) - 1 else ':'}"
        if len(line) + len(part) > _LINE:
            lines.append(line)
            line = ""
        line += part
    return [*lines, line]
