# SPDX-License-Identifier: AGPL-3.0-or-later
"""A domain's public key as its TXT record says it (RFC 6376 section 3.6.1, RFC 8463 section 4)."""

from dataclasses import dataclass

from razdar.wire.dkim.tags import TagError, decode_base64, parse_tags, words


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """A key that may be used for mail."""

    kind: str
    """`rsa` or `ed25519`."""
    public: bytes
    """`rsa`: a SubjectPublicKeyInfo or RSAPublicKey in DER; `ed25519`: 32 bytes."""
    is_strict: bool
    """`t=s`: the identity of a signature may not be in a subdomain."""


def parse_key(record: bytes) -> KeyRecord | None:
    """The key, or None if the record is no key, a revoked one, or one for something else than mail or SHA-256.

    A key that says it is being tested (`t=y`) counts: nobody but its owner can sign with it.
    """
    try:
        tags = parse_tags(record)
        if tags.get("v", "DKIM1") != "DKIM1" or ("v" in tags and next(iter(tags)) != "v"):
            return None
        if "sha256" not in words(tags.get("h", "sha256")) or not {"*", "email"} & set(words(tags.get("s", "*"))):
            return None
        kind, public = tags.get("k", "rsa").lower(), decode_base64(tags.get("p", ""))
    except TagError:
        return None
    return KeyRecord(kind, public, "s" in words(tags.get("t", ""))) if public and kind in ("rsa", "ed25519") else None
