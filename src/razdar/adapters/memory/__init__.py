"""The store in RAM: a verified fake, held to the same contract tests as the real one (tests/contract/)."""

from .store import MemoryStore

__all__ = ["MemoryStore"]
