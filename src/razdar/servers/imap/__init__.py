# SPDX-License-Identifier: AGPL-3.0-or-later
"""IMAP at the socket: one connection class, and handlers by kind of command."""
