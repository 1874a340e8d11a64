# SPDX-License-Identifier: AGPL-3.0-or-later
"""From a framed command to a value: one file per group of commands (RFC 3501 section 6 and extensions).

`parse_frame` never raises; what is wrong with a command comes back in the place of the command. Nothing here knows states or limits of
time; the framer has bounded how much there is to parse.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from razdar.wire.errors import PeerError

from ..commands import Command
from ..framing import Frame
from ..grammar import DEFAULT_LIMITS, TAG, Cursor, GrammarLimits
from . import any_state, append, auth, fetch, listing, mailboxes, messages, metadata, quota, search
from .auth import parse_sasl_plain
from .parser import Parser
from .sasl_start import SaslStart

__all__ = ["ParsedFrame", "SaslStart", "parse_frame", "parse_sasl_plain"]

PARSERS: Mapping[str, Parser] = {
    **any_state.PARSERS,
    **auth.PARSERS,
    **mailboxes.PARSERS,
    **listing.PARSERS,
    **append.PARSERS,
    **quota.PARSERS,
    **metadata.PARSERS,
    **messages.PARSERS,
    **fetch.PARSERS,
    **search.PARSERS,
}
UID_PARSERS: Mapping[str, Parser] = {**messages.UID_PARSERS, **fetch.UID_PARSERS, **search.UID_PARSERS}


@dataclass(frozen=True, slots=True)
class ParsedFrame:
    """What a frame means. `tag` is None if not even that could be read."""

    tag: str | None
    command: Command | SaslStart | PeerError


def parse_frame(frame: Frame, limits: GrammarLimits = DEFAULT_LIMITS) -> ParsedFrame:
    """The command, or what is wrong with it: Declined (answered NO) or another PeerError (answered BAD)."""
    cursor = Cursor(frame, limits)
    tag: str | None = None
    try:
        tag = cursor.want(TAG, "a tag").decode("ascii")
        cursor.space()
        command = _parser(cursor)(tag, cursor)
        cursor.end()
    except PeerError as error:
        return ParsedFrame(tag, error)
    return ParsedFrame(tag, command)


def _parser(cursor: Cursor) -> Parser:
    name = cursor.word()
    table = PARSERS
    if name == "UID":
        cursor.space()
        name, table = cursor.word(), UID_PARSERS
    parser = table.get(name)
    if parser is None:
        raise PeerError("Unknown command")
    return parser
