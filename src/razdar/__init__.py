# SPDX-License-Identifier: AGPL-3.0-or-later
"""Razdar: a messenger relay that keeps no record of who wrote to whom."""

__version__ = "0.1.0"
