# SPDX-License-Identifier: AGPL-3.0-or-later
"""The operator's console: it shows whether the relay is well and lets its operator act. docs/console.md says what it never shows."""
