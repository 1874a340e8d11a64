# SPDX-License-Identifier: AGPL-3.0-or-later
"""Lists of `name=value` tags, the syntax of signatures and of key records (RFC 6376 section 3.2).

Strict: a list with a tag twice, an empty tag or a character that does not belong there is none at all, because two readers could take it
for two things.
"""

import base64
import binascii
import re

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*+")
_VALUE = re.compile(r"[!-:<-~ \t\r\n]*+")
_SPACE = " \t\r\n"
_FOLDING = re.compile(r"[ \t\r\n]++")


class TagError(ValueError):
    """The bytes are no such list, or a value in it is malformed."""


def parse_tags(text: bytes) -> dict[str, str]:
    """The tags by name, in their order; values without white space at their ends. Raises TagError."""
    try:
        pieces = text.decode("ascii").split(";")
    except UnicodeDecodeError as error:
        raise TagError("not ASCII") from error
    if not pieces[-1].strip(_SPACE):
        pieces.pop()
    tags: dict[str, str] = {}
    for piece in pieces:
        name, equals, value = (part.strip(_SPACE) for part in piece.partition("="))
        if not equals or not _NAME.fullmatch(name) or not _VALUE.fullmatch(value) or name in tags:
            raise TagError("not a list of tags")
        tags[name] = value
    return tags


def words(value: str) -> tuple[str, ...]:
    """The parts of a list with colons, in lower case (RFC 6376 sections 3.5 and 3.6.1: `h`, `s`, `t`, `q`)."""
    return tuple(word.strip(_SPACE).lower() for word in value.split(":"))


def decode_base64(value: str) -> bytes:
    """What the value says, folded anywhere. Raises TagError."""
    try:
        return base64.b64decode(_FOLDING.sub("", value), validate=True)
    except (binascii.Error, ValueError) as error:
        raise TagError("not base64") from error
