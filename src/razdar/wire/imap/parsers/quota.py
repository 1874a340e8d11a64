# SPDX-License-Identifier: AGPL-3.0-or-later
"""GETQUOTA, GETQUOTAROOT, SETQUOTA (RFC 9208)."""

from .. import commands as c
from ..grammar import Cursor
from .parser import Parser


def _get_quota(tag: str, cursor: Cursor) -> c.GetQuota:
    cursor.space()
    return c.GetQuota(tag, cursor.text())


def _get_quota_root(tag: str, cursor: Cursor) -> c.GetQuotaRoot:
    cursor.space()
    return c.GetQuotaRoot(tag, cursor.mailbox())


def _set_quota(tag: str, cursor: Cursor) -> c.SetQuota:
    def limit() -> None:
        cursor.word()
        cursor.space()
        cursor.number()

    cursor.space()
    root = cursor.text()
    cursor.space()
    cursor.members(limit)
    return c.SetQuota(tag, root)


PARSERS: dict[str, Parser] = {"GETQUOTA": _get_quota, "GETQUOTAROOT": _get_quota_root, "SETQUOTA": _set_quota}
