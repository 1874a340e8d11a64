# SPDX-License-Identifier: AGPL-3.0-or-later
"""The call-back between relays without DNS: question and answer (docs/federation.md).

    GET /.well-known/razdar/confirm?<64 hexadecimal digits>       the SHA-256 of the message
    200, `razdar confirms <64 hexadecimal digits>`                 or 404

The answer is computed from the digest, so that a server that answers everything with some page, or repeats what it was asked, confirms
nothing.
"""

import re
from hashlib import sha256

PATH = "/.well-known/razdar/confirm"
ANSWER_BYTES_MAX = 256
_DIGEST = re.compile(rb"[0-9a-f]{64}")


def question(digest: bytes) -> str:
    """Path and query."""
    return f"{PATH}?{digest.hex()}"


def asked(query: bytes) -> bytes | None:
    """The digest in the query, or None if there is none."""
    return bytes.fromhex(query.decode("ascii")) if _DIGEST.fullmatch(query) else None


def answer_to(digest: bytes) -> bytes:
    """The body that says yes."""
    return b"razdar confirms " + sha256(b"razdar confirm " + digest).hexdigest().encode("ascii")


def is_yes(digest: bytes, status: int, body: bytes) -> bool:
    """Whether that was said."""
    return status == 200 and body.strip() == answer_to(digest)
