# SPDX-License-Identifier: AGPL-3.0-or-later
"""Checking signatures over one message (RFC 6376 section 6.1), and what they leave uncovered.

A signature counts only if it covers every field of each name that it signs: whoever adds a second `Subject` or `Content-Type` above the
signed one changes what people see and would otherwise keep the signature (section 8.15). There is one `From`, or nothing is proven.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import islice

from razdar.wire.dkim.canonical import body_digest, field
from razdar.wire.dkim.key import parse_key
from razdar.wire.dkim.signature import ALGORITHMS, Signature, parse_signature, without_value
from razdar.wire.mime import FIELDS_MAX, HEADER_BYTES_MAX, Field, read_header

SIGNATURES_MAX = 8
"""Signatures of one message that are looked at, from the top; each may cost a look-up and a verification (section 6.1)."""

CLOCK_LEEWAY_S = 86_400
"""How far our clock may be ahead. That `t=` is later than our clock says nothing: a machine without a battery wakes up years ago, and a
permanent refusal of everybody's mail is worse than a signature that somebody made early."""

_ADDED_ON_THE_WAY = frozenset({"received", "return-path", "dkim-signature", "authentication-results", "arc-seal", "delivered-to"})
"""Relays on the way put more of these on top (RFC 5321 section 4.4, RFC 6376 section 5.6)."""

Verify = Callable[[str, bytes, bytes, bytes], bool]
"""Whether a signature is good: (`rsa` or `ed25519`, public key as in the record, SHA-256 that was signed, signature)."""


class SignedMessage:
    """A message whose body is hashed at most once for each canonical form, however many signatures it has."""

    def __init__(self, message: bytes, *, header_bytes: int = HEADER_BYTES_MAX, header_fields: int = FIELDS_MAX) -> None:
        """Raises MimeError if the header cannot be read in one way only."""
        self.fields, start = read_header(message, limit_bytes=header_bytes, fields_max=header_fields)
        self._body = memoryview(message)[start:]
        self._counts = Counter(each.name for each in self.fields)
        self._digests: dict[bool, bytes] = {}

    def signatures(self) -> Sequence[Signature]:
        """Those that could prove something, from the top."""
        if self._counts["from"] != 1:
            return ()
        found = islice((each for each in self.fields if each.name == "dkim-signature"), SIGNATURES_MAX)
        return [each for each in map(parse_signature, found) if each is not None and self._is_whole(each)]

    def _is_whole(self, signature: Signature) -> bool:
        """Whether every field of each signed name is signed."""
        signed = Counter(signature.signed)
        return all(self._counts[name] <= times for name, times in signed.items() if name not in _ADDED_ON_THE_WAY)

    def check(self, signature: Signature, key_record: bytes, verify: Verify, now: int) -> bool:
        """Whether the owner of the key signed this message. `now` in unix seconds."""
        key = parse_key(key_record)
        if key is None or key.kind != ALGORITHMS[signature.algorithm] or (key.is_strict and signature.is_of_subdomain):
            return False
        if signature.expires is not None and now - CLOCK_LEEWAY_S > signature.expires:
            return False
        if self._body_digest(is_relaxed=signature.is_body_relaxed) != signature.body_digest:
            return False
        return verify(key.kind, key.public, header_digest(self.fields, signature), signature.value)

    def _body_digest(self, *, is_relaxed: bool) -> bytes:
        if is_relaxed not in self._digests:
            self._digests[is_relaxed] = body_digest(self._body, is_relaxed=is_relaxed)
        return self._digests[is_relaxed]


def header_digest(fields: Sequence[Field], signature: Signature) -> bytes:
    """SHA-256 of the signed fields, each name's last field first, and of the signature itself (sections 3.7 and 5.4.2)."""
    left: dict[str, list[bytes]] = {}
    for each in fields:
        left.setdefault(each.name, []).append(each.raw)
    digest = hashlib.sha256()
    for name in signature.signed:
        if left.get(name):
            digest.update(field(left[name].pop(), is_relaxed=signature.is_header_relaxed))
    digest.update(field(without_value(signature.field.raw), is_relaxed=signature.is_header_relaxed).removesuffix(b"\r\n"))
    return digest.digest()
