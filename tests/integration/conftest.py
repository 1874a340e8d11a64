# SPDX-License-Identifier: AGPL-3.0-or-later
"""Every connection of tests/lab/peer.py ends with its test."""

from tests.lab.peer import end_connections

__all__ = ["end_connections"]
