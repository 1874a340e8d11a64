# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a request's head must look like before it is parsed, and when it is refused.

h11 parses HTTP/1.1; it is generous where two readers of the same bytes could disagree about where a request ends (request smuggling, RFC
9112 section 11.2): it takes bare LF as a line end, unfolds lines, merges equal Content-Length fields and lets Transfer-Encoding win over
Content-Length. Nothing honest sends such a head to a relay, so this one refuses it; should it stand behind somebody's proxy, the two
agree on every byte. Bytes in, verdict out: no socket, no clock. The text of a refusal is public and repeats nothing of what the peer
sent. Bodies of tiny chunks are refused as well.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import h11

_END = re.compile(rb"\n\r?\n")
_BARE = re.compile(rb"\r(?!\n)|(?<!\r)\n|\x00")
_TARGET = re.compile(rb"[A-Z]{1,10} ([!-~]{1,100}) HTTP/1\.1\r\n")
_LENGTH = re.compile(rb"[0-9]{1,12}")

CHUNKS_FREE, CHUNK_BYTES_MIN = 256, 32
"""Beyond so many, the chunks of a body have so many bytes on average; who sends a message line by line has twice that."""


@dataclass(frozen=True, slots=True)
class HeadLimits:
    """Bounds of one request's head."""

    head_bytes: int = 16_384
    """Request line and fields together; browsers send about 1 kB, and most servers stop at 8 or 16 KiB."""
    target_bytes: int = 2_048
    """Path and query; ours are below 100 bytes."""
    fields: int = 100
    """Header fields; browsers send about 20."""


@dataclass(frozen=True, slots=True)
class BadHead:
    """Why the head is refused: an HTTP status (RFC 9110 section 15.5, RFC 6585 section 5) and a word for it."""

    status: int
    text: str


def fault(head: bytes, limits: HeadLimits, *, is_whole: bool = True) -> BadHead | None:
    """What is wrong with `head` (request line to the blank line, both included), or None if h11 may read it.

    Of a part, `is_whole` being False, only the size is looked at.
    """
    if len(head) > limits.head_bytes:
        return BadHead(431, "request header too large")
    if not is_whole:
        return None
    if _BARE.search(head):
        return BadHead(400, "line ends are CR LF")  # RFC 9112 section 2.2
    request, *fields = head[:-4].split(b"\r\n")
    if len(request) > limits.target_bytes:
        return BadHead(414, "address too long")
    if len(fields) > limits.fields:
        return BadHead(431, "too many header fields")
    if any(field[:1] in (b" ", b"\t") for field in fields):
        return BadHead(400, "folded header field")  # RFC 9112 section 5.2
    return _framing_fault(request, fields)


def _framing_fault(request: bytes, fields: list[bytes]) -> BadHead | None:
    """RFC 9112 section 6.3: at most one statement about where the body ends, and one that cannot be read in two ways."""
    lengths = _values(fields, b"content-length")
    encodings = _values(fields, b"transfer-encoding")
    if encodings and lengths:
        return BadHead(400, "both Content-Length and Transfer-Encoding")
    if encodings and (len(encodings) > 1 or encodings[0].lower() != b"chunked" or not request.endswith(b"HTTP/1.1")):
        return BadHead(400, "Transfer-Encoding is chunked, once, in HTTP/1.1")
    if len(lengths) > 1 or any(_LENGTH.fullmatch(length) is None for length in lengths):
        return BadHead(400, "Content-Length is one number")
    return None


def _values(fields: list[bytes], name: bytes) -> list[bytes]:
    """The values of every field called `name`. White space before the colon counts as part of neither: h11 refuses it."""
    pairs = (field.partition(b":") for field in fields)
    return [value.strip(b" \t") for key, _, value in pairs if key.strip(b" \t").lower() == name]


class StrictConnection(h11.Connection):
    """h11's server side that looks at each head before h11 does. `refused` tells after a RemoteProtocolError what to answer."""

    def __init__(self, limits: HeadLimits, wide: Mapping[str, HeadLimits] | None = None) -> None:
        """`wide`: other bounds for requests to these paths."""
        self._limits = limits
        self._wide = {path.encode("ascii"): other for path, other in (wide or {}).items()}
        super().__init__(h11.SERVER, max(each.head_bytes for each in (limits, *self._wide.values())))
        self.refused = BadHead(400, "not HTTP")
        self._chunks = self._chunk_bytes = 0

    def next_event(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        """As h11's; raises RemoteProtocolError also for heads that h11 would take."""
        if self.their_state is h11.IDLE:
            self._look_at_head()
            self._chunks = self._chunk_bytes = 0
        try:
            event = super().next_event()
        except h11.RemoteProtocolError as error:
            if error.error_status_hint == 431:
                self.refused = BadHead(431, "request header too large")
            raise
        if isinstance(event, h11.Data):
            self._count(event)
        return event

    def _count(self, piece: h11.Data) -> None:
        """Each chunk costs 6 us, so a body of tiny ones fills a core at 1 MB/s."""
        self._chunks += piece.chunk_start
        self._chunk_bytes += len(piece.data)
        if self._chunks > CHUNKS_FREE and self._chunk_bytes < CHUNK_BYTES_MIN * self._chunks:
            self.refused = BadHead(400, "chunks too small")
            raise h11.RemoteProtocolError(self.refused.text, self.refused.status)

    def _look_at_head(self) -> None:
        waiting, _ = self.trailing_data
        end = _END.search(waiting)
        bad = fault(waiting[: end.end()] if end else waiting, self._limits_for(waiting), is_whole=end is not None)
        if bad is not None:
            self.refused = bad
            raise h11.RemoteProtocolError(bad.text, bad.status)

    def _limits_for(self, waiting: bytes) -> HeadLimits:
        target = _TARGET.match(waiting)
        return self._wide.get(target[1], self._limits) if target else self._limits
