# SPDX-License-Identifier: AGPL-3.0-or-later
"""The one address in a `From:` field (RFC 5322 section 3.6.2), for the check that nobody writes in another person's name.

Reads one mailbox: a bare address, or one in angle brackets after a display name. Lists, groups, comments and source routes are not read but
refused, because clients and servers differ on which address of them counts.
"""

import re
from collections.abc import Sequence

from razdar.model.address import Address, parse_address
from razdar.wire.mime import Field, header_values

# Display name: words of anything but the characters with a meaning, and quoted strings. Possessive throughout: linear time.
_MAILBOX = re.compile(r'(?:(?:"(?:[^"\\]|\\.)*+"|[^"<>(),:;@\\\[\]]++)*+<([^<>\s]*+)>|([^"<>(),:;\s\\]++))')


_COMMENT = re.compile(r"[ \t]*+\([^()\\]*+\)\Z")


def only_address(fields: Sequence[Field], name: str, *, skip_comment: bool = False) -> Address | None:
    """The address if there is exactly one field `name` (lower case) and exactly one address in it, otherwise None.

    `skip_comment`: one comment may stand at the end, as in the reports of Postfix, from `MAILER-DAEMON@domain (Mail Delivery System)`.
    """
    values = header_values(fields, name)
    if len(values) != 1:
        return None
    return parse_mailbox(_COMMENT.sub("", values[0]) if skip_comment else values[0])


def parse_mailbox(value: str) -> Address | None:
    """The address of `Name <local@domain>` or `local@domain`, or None if the value is anything else."""
    found = _MAILBOX.fullmatch(value)
    return parse_address(found[1] or found[2] or "") if found else None
