# SPDX-License-Identifier: AGPL-3.0-or-later
"""The store in RAM: a verified fake, held to the same contract tests as the real one (tests/contract/)."""

from .store import MemoryStore

__all__ = ["MemoryStore"]
