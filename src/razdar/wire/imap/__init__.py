# SPDX-License-Identifier: AGPL-3.0-or-later
"""IMAP4rev1 (RFC 3501) as a value: bytes in, commands out, answers queued. No socket, no clock, no disk."""
