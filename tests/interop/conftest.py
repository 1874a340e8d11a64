# SPDX-License-Identifier: AGPL-3.0-or-later
"""Fixtures of the laboratory for every interop test."""

from tests.lab.fixtures import core, names, relay, relay_factory, scripted

__all__ = ["core", "names", "relay", "relay_factory", "scripted"]
