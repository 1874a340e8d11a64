# SPDX-License-Identifier: AGPL-3.0-or-later
"""The two forms in which headers and bodies are signed: `simple` and `relaxed` (RFC 6376 section 3.4).

Each body is hashed in one pass. White space is collapsed by replacements of whole bytes, each a linear search in C, so neither a run of ten
million spaces nor ten million lines costs more than as many letters.
"""

import hashlib
import re

_RUN = re.compile(rb"[ \t]++")
_LINES = b"\r\n" * 4096


def body_digest(body: bytes | memoryview, *, is_relaxed: bool) -> bytes:
    """SHA-256 of the canonical body (sections 3.4.3 and 3.4.4)."""
    digest = hashlib.sha256()
    text = _relaxed_text(bytes(body)) if is_relaxed else body
    end = _end(text)
    digest.update(memoryview(text)[:end])
    if end or not is_relaxed:
        digest.update(b"\r\n")
    return digest.digest()


def _relaxed_text(body: bytes) -> bytes:
    """Runs of white space are one space, and none at the end of a line. Already so in most messages; then nothing is copied."""
    if b"\t" in body:
        body = body.replace(b"\t", b" ")
    while b"  " in body:  # a run is halved each time
        body = body.replace(b"  ", b" ")
    if b" \r\n" in body:
        body = body.replace(b" \r\n", b"\r\n")
    return body.removesuffix(b" ")


def _end(body: bytes | memoryview) -> int:
    """Where the last line that is not empty ends, without its CRLF; 0 if there is none."""
    end = len(body)
    for step in (_LINES, b"\r\n"):
        while end >= len(step) and body[end - len(step) : end] == step:
            end -= len(step)
    return end


def field(raw: bytes, *, is_relaxed: bool) -> bytes:
    """One header field with its CRLF in canonical form (sections 3.4.1 and 3.4.2). `raw` holds name, colon, value and CRLF."""
    if not is_relaxed:
        return raw
    name, _, value = raw.partition(b":")
    unfolded = _RUN.sub(b" ", value.replace(b"\r\n", b"")).strip(b" ")
    return name.strip(b" \t").lower() + b":" + unfolded + b"\r\n"
