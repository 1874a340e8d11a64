# SPDX-License-Identifier: AGPL-3.0-or-later
"""Writes IMAP commands as a client would: the other half of a round trip. Strings go out quoted or as literals, by a flip of `literal`."""

from collections.abc import Callable, Iterable

from razdar.wire.imap import commands as c
from razdar.wire.imap import search_keys as k
from razdar.wire.imap.dates import MONTHS, format_date_time
from razdar.wire.imap.fetch_items import FetchItem, FetchKind, Section
from razdar.wire.imap.mailbox_name import encode_name

FLAG_KEYS = {f"\\{name.title()}": name for name in ("ANSWERED", "DELETED", "DRAFT", "FLAGGED", "SEEN")}


class Serialiser:
    """`is_literal` decides for each string in turn whether it becomes a literal (always if it cannot be quoted)."""

    def __init__(self, is_literal: Callable[[], bool]) -> None:
        self._is_literal = is_literal

    def command(self, command: c.Command) -> bytes:
        """With tag and CRLF."""
        name = type(command).__name__.upper()
        prefix = "UID " if getattr(command, "by_uid", False) else ""
        write = self._WRITERS.get(type(command))
        body: bytes = f"{prefix}{name}".encode() if write is None else prefix.encode() + write(self, command)
        return command.tag.encode() + b" " + body + b"\r\n"

    # words

    def string(self, value: bytes) -> bytes:
        if self._is_literal() or set(value) & set(b"\r\n"):
            return b"{%d+}\r\n%b" % (len(value), value)
        return b'"' + value.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'

    def text(self, value: str) -> bytes:
        return self.string(value.encode())

    def mailbox(self, name: str) -> bytes:
        return self.string(encode_name(name))

    @staticmethod
    def group(members: Iterable[bytes]) -> bytes:
        return b"(" + b" ".join(members) + b")"

    def words(self, members: Iterable[str]) -> bytes:
        return self.group(member.encode() for member in members)

    # commands

    def _login(self, command: c.Login) -> bytes:
        return b"LOGIN " + self.text(command.user) + b" " + self.text(command.password)

    def _id(self, command: c.Id) -> bytes:
        pairs = (self.text(name) + b" " + (b"NIL" if value is None else self.text(value)) for name, value in command.parameters)
        return b"ID " + self.group(pairs)

    def _enable(self, command: c.Enable) -> bytes:
        return " ".join(("ENABLE", *command.names)).encode()

    def _select(self, command: c.Select) -> bytes:
        return (b"EXAMINE " if command.is_read_only else b"SELECT ") + self.mailbox(command.mailbox)

    def _one_mailbox(self, command: c.Create | c.Delete | c.Subscribe | c.Unsubscribe | c.GetQuotaRoot) -> bytes:
        return type(command).__name__.upper().encode() + b" " + self.mailbox(command.mailbox)

    def _rename(self, command: c.Rename) -> bytes:
        return b"RENAME " + self.mailbox(command.source) + b" " + self.mailbox(command.target)

    def _list(self, command: c.List) -> bytes:
        if command.is_lsub:
            return b"LSUB " + self.mailbox(command.reference) + b" " + self.mailbox(command.patterns[0])
        selection = self.words(sorted(command.selection)) + b" " if command.selection else b""
        options = [b"STATUS " + self.words(command.status_items) if name == "STATUS" else name.encode() for name in sorted(command.returns)]
        returns = b" RETURN " + self.group(options) if options else b""
        patterns = self.group(self.mailbox(pattern) for pattern in command.patterns)
        return b"LIST " + selection + self.mailbox(command.reference) + b" " + patterns + returns

    def _status(self, command: c.Status) -> bytes:
        return b"STATUS " + self.mailbox(command.mailbox) + b" " + self.words(command.items)

    def _append(self, command: c.Append) -> bytes:
        date = b"" if command.internal_date is None else format_date_time(command.internal_date) + b" "
        literal = b"{%d+}\r\n%b" % (len(command.message), command.message)
        return b"APPEND " + self.mailbox(command.mailbox) + b" " + self.words(command.flags) + b" " + date + literal

    def _compress(self, command: c.Compress) -> bytes:
        return b"COMPRESS " + command.mechanism.encode()

    def _get_quota(self, command: c.GetQuota) -> bytes:
        return b"GETQUOTA " + self.text(command.root)

    def _set_quota(self, command: c.SetQuota) -> bytes:
        return b"SETQUOTA " + self.text(command.root) + b" (STORAGE 5)"

    def _get_metadata(self, command: c.GetMetadata) -> bytes:
        size = "" if command.max_size is None else f" MAXSIZE {command.max_size}"
        options = f"(DEPTH {command.depth}{size}) ".encode()
        return b"GETMETADATA " + options + self.mailbox(command.mailbox) + b" " + self.group(map(self.text, command.entries))

    def _set_metadata(self, command: c.SetMetadata) -> bytes:
        pairs = (self.text(name) + b" " + (b"NIL" if value is None else self.string(value)) for name, value in command.values)
        return b"SETMETADATA " + self.mailbox(command.mailbox) + b" " + self.group(pairs)

    def _expunge(self, command: c.Expunge) -> bytes:
        return b"EXPUNGE" if command.uids is None else b"UID EXPUNGE " + bytes(command.uids)

    def _transfer(self, command: c.Copy | c.Move) -> bytes:
        return type(command).__name__.upper().encode() + b" " + bytes(command.ids) + b" " + self.mailbox(command.mailbox)

    def _store(self, command: c.Store) -> bytes:
        silent = ".SILENT" if command.is_silent else ""
        return b"STORE " + bytes(command.ids) + f" {command.action.value}{silent} ".encode() + self.words(command.flags)

    def _fetch(self, command: c.Fetch) -> bytes:
        return b"FETCH " + bytes(command.ids) + b" " + self.group(map(self.item, command.items))

    def item(self, item: FetchItem) -> bytes:
        if item.kind is not FetchKind.SECTION:
            return str(item.kind.value).encode()
        partial = b"" if item.partial is None else b"<%d.%d>" % item.partial
        return (b"BODY.PEEK[" if item.is_peek else b"BODY[") + self.section(item.section or Section()) + b"]" + partial

    def section(self, section: Section) -> bytes:
        words = ".".join([*map(str, section.path), *([section.text.value] if section.text.value else [])]).encode()
        return words + (b" " + self.group(map(self.text, section.fields)) if section.fields else b"")

    def _search(self, command: c.Search) -> bytes:
        charset = b"" if command.charset is None else b"CHARSET " + command.charset.encode() + b" "
        returns = b"" if command.returns is None else b"RETURN (" + " ".join(sorted(command.returns)).encode() + b") "
        return b"SEARCH " + returns + charset + self.key(command.key)

    def key(self, key: k.SearchKey) -> bytes:
        match key:
            case k.Everything():
                return b"ALL"
            case k.And(keys=keys):
                return self.group(map(self.key, keys))
            case k.Or(first=first, second=second):
                return b"OR " + self.key(first) + b" " + self.key(second)
            case k.Not(key=inner):
                return b"NOT " + self.key(inner)
            case k.HasFlag(flag=flag, is_set=is_set):
                un = "" if is_set else "UN"
                return f"{un}{FLAG_KEYS[flag]}".encode() if flag in FLAG_KEYS else f"{un}KEYWORD {flag}".encode()
            case k.Dated(side=side, day=day, by_header=by_header):
                return f"{'SENT' if by_header else ''}{side.value} {day.day}-{MONTHS[day.month - 1]}-{day.year:04}".encode()
            case k.Sized(is_larger=is_larger, octets=octets):
                return f"{'LARGER' if is_larger else 'SMALLER'} {octets}".encode()
            case k.HasHeader(name=name, value=value):
                return b"HEADER " + self.text(name) + b" " + self.text(value)
            case k.HasText(value=value, only_body=only_body):
                return (b"BODY " if only_body else b"TEXT ") + self.text(value)
            case k.Among(ids=ids, by_uid=by_uid):
                return (b"UID " if by_uid else b"") + bytes(ids)

    _WRITERS: "dict[type[c.Command], Callable[..., bytes]]" = {  # noqa: RUF012 - never changed
        c.Login: _login,
        c.Id: _id,
        c.Enable: _enable,
        c.Select: _select,
        c.Create: _one_mailbox,
        c.Delete: _one_mailbox,
        c.Subscribe: _one_mailbox,
        c.Unsubscribe: _one_mailbox,
        c.GetQuotaRoot: _one_mailbox,
        c.Rename: _rename,
        c.List: _list,
        c.Status: _status,
        c.Append: _append,
        c.Compress: _compress,
        c.GetQuota: _get_quota,
        c.SetQuota: _set_quota,
        c.GetMetadata: _get_metadata,
        c.SetMetadata: _set_metadata,
        c.Expunge: _expunge,
        c.Copy: _transfer,
        c.Move: _transfer,
        c.Store: _store,
        c.Fetch: _fetch,
        c.Search: _search,
    }
