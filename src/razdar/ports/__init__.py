# SPDX-License-Identifier: AGPL-3.0-or-later
"""Interfaces between the use cases and the machine. Each docstring is the contract that the contract tests check."""
