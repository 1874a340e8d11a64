# SPDX-License-Identifier: AGPL-3.0-or-later
"""A chatmail relay made of Postfix, Dovecot and OpenDKIM, for tests of federation and for the benchmark. Nothing is installed."""

from tests.lab.chatmail_peer.packages import Unavailable, versions
from tests.lab.chatmail_peer.peer import PORTS, ChatmailPeer, require

__all__ = ["PORTS", "ChatmailPeer", "Unavailable", "require", "versions"]
