# SPDX-License-Identifier: AGPL-3.0-or-later
"""What every parser of a command looks like."""

from collections.abc import Callable

from ..commands import Command
from ..grammar import Cursor
from .sasl_start import SaslStart

Parser = Callable[[str, Cursor], Command | SaslStart]
"""Gets the tag and a cursor behind the command's name; reads to the end, or raises PeerError."""
