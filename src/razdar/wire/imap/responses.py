# SPDX-License-Identifier: AGPL-3.0-or-later
"""The untagged lines of answers, without the leading `* ` and the line end (RFC 3501 section 7 and extensions).

Strings are written the safest way: an atom or a quoted string if every character may stand in one, else a literal. CR, LF and NUL never get
into a quoted string, and NUL, which no literal may contain either, is dropped.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence

from .mailbox_name import encode_name
from .sequence import of_ids

Part = bytes | memoryview
"""A piece of a line. Large messages stay views on the one copy that was read."""

DELIMITER = "/"
_ATOM = re.compile(rb"[^\x00-\x20\x7f-\xff(){%*\"\\\]\[]{1,100}")
_QUOTABLE = re.compile(rb"[\x01-\x09\x0b\x0c\x0e-\x7f]{0,1000}")
_NEEDS_ESCAPE = re.compile(rb"([\"\\])")


def string(value: bytes) -> bytes:
    """Quoted, or a literal."""
    if _QUOTABLE.fullmatch(value):
        return b'"' + _NEEDS_ESCAPE.sub(rb"\\\1", value) + b'"'
    return literal(value.replace(b"\0", b""))


def literal(value: Part) -> bytes:
    """As a literal, whatever is in it."""
    return b"{%d}\r\n" % len(value) + value


def nstring(value: bytes | None) -> bytes:
    """A string, or NIL."""
    return b"NIL" if value is None else string(value)


def astring(value: bytes) -> bytes:
    """An atom if it can be one. NIL stays quoted: some clients read it as nothing."""
    return value if _ATOM.fullmatch(value) and value.upper() != b"NIL" else string(value)


def mailbox_name(name: str) -> bytes:
    """Encoded and written as an astring."""
    return astring(encode_name(name))


def parenthesised(members: Iterable[bytes]) -> bytes:
    """`(a b c)`."""
    return b"(" + b" ".join(members) + b")"


def flag_list(flags: Iterable[str]) -> bytes:
    """`(\\Seen $Forwarded)`. A keyword that is no atom is left out; none is ever stored."""
    return parenthesised(word for flag in flags if _ATOM.fullmatch((word := flag.encode("utf-8")).lstrip(b"\\")))


def flags(names: Iterable[str]) -> bytes:
    """FLAGS, the answer to SELECT."""
    return b"FLAGS " + flag_list(names)


def permanent_flags(names: Iterable[str], *, takes_new: bool) -> bytes:
    r"""OK [PERMANENTFLAGS …]; `\*` if new keywords may be made."""
    members = flag_list(names)
    if takes_new:
        members = members[:-1] + (b" \\*)" if len(members) > 2 else b"\\*)")
    return b"OK [PERMANENTFLAGS " + members + b"] Flags that stay"


def exists(count: int) -> bytes:
    """EXISTS."""
    return b"%d EXISTS" % count


def recent(count: int) -> bytes:
    """RECENT."""
    return b"%d RECENT" % count


def expunge(seq: int) -> bytes:
    """EXPUNGE."""
    return b"%d EXPUNGE" % seq


def uid_validity(value: int) -> bytes:
    """OK [UIDVALIDITY]."""
    return b"OK [UIDVALIDITY %d] UIDs valid" % value


def uid_next(value: int) -> bytes:
    """OK [UIDNEXT]."""
    return b"OK [UIDNEXT %d] Next UID" % value


def unseen(seq: int) -> bytes:
    """OK [UNSEEN], the first message without \\Seen."""
    return b"OK [UNSEEN %d] First unseen" % seq


def listed(name: str, attributes: Iterable[str] = (), *, is_lsub: bool = False, child_info: Iterable[str] = ()) -> bytes:
    """LIST or LSUB. `attributes` with their backslash; `child_info` are the options that something below meets (RFC 5258 section 4)."""
    word = b"LSUB " if is_lsub else b"LIST "
    line = word + flag_list(attributes) + b" " + string(DELIMITER.encode("ascii")) + b" " + mailbox_name(name)
    options = [string(option.encode("ascii")) for option in child_info]
    return line + b' ("CHILDINFO" ' + parenthesised(options) + b")" if options else line


def status(name: str, values: Mapping[str, int]) -> bytes:
    """STATUS."""
    return b"STATUS " + mailbox_name(name) + b" " + parenthesised(f"{item} {value}".encode("ascii") for item, value in values.items())


def search(ids: Iterable[int]) -> bytes:
    """SEARCH; the word alone if nothing was found."""
    return " ".join(("SEARCH", *map(str, ids))).encode("ascii")


def extended_search(tag: str, ids: Sequence[int], returns: Collection[str], *, by_uid: bool) -> bytes:
    """ESEARCH (RFC 4731 section 3.1): of MIN, MAX, ALL and COUNT those asked for; `ids` ascending. Nothing found leaves COUNT alone."""
    words = [b'ESEARCH (TAG "' + tag.encode("ascii") + b'")']
    if by_uid:
        words.append(b"UID")
    if ids:
        found = {"MIN": b"%d" % ids[0], "MAX": b"%d" % ids[-1], "ALL": bytes(of_ids(ids)) if "ALL" in returns else b""}
        words += [name.encode("ascii") + b" " + value for name, value in found.items() if name in returns]
    if "COUNT" in returns:
        words.append(b"COUNT %d" % len(ids))
    return b" ".join(words)


def quota_root(name: str, root: str) -> bytes:
    """QUOTAROOT with one root."""
    return b"QUOTAROOT " + mailbox_name(name) + b" " + string(root.encode("utf-8"))


def quota(root: str, resources: Mapping[str, tuple[int, int]]) -> bytes:
    """QUOTA: name → (used, limit); STORAGE counts units of 1024 octets (RFC 9208 section 5.1)."""
    members = (f"{name} {used} {limit}".encode("ascii") for name, (used, limit) in resources.items())
    return b"QUOTA " + string(root.encode("utf-8")) + b" " + parenthesised(members)


def metadata(name: str, values: Mapping[str, bytes | None]) -> bytes:
    """METADATA: entry → value."""
    members = (astring(entry.encode("utf-8")) + b" " + nstring(value) for entry, value in values.items())
    return b"METADATA " + (mailbox_name(name) if name else b'""') + b" " + parenthesised(members)


def append_uid(validity: int, uid: int) -> str:
    """The code of APPEND's OK (RFC 4315 section 3)."""
    return f"APPENDUID {validity} {uid}"


def copy_uid(validity: int, uids: Mapping[int, int]) -> str | None:
    """The code of COPY's OK, or of the untagged OK of MOVE; None if nothing was copied.

    The two sets are matched up in order, so source UIDs must ascend with target UIDs; sorted ascending sources are what the store copies.
    """
    if not uids:
        return None
    sources = sorted(uids)
    targets: Sequence[int] = [uids[source] for source in sources]
    written = bytes(of_ids(targets)) if list(targets) == sorted(targets) else b",".join(b"%d" % uid for uid in targets)
    return f"COPYUID {validity} {bytes(of_ids(sources)).decode('ascii')} {written.decode('ascii')}"
