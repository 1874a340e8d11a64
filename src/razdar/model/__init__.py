# SPDX-License-Identifier: AGPL-3.0-or-later
"""Values that everything else speaks in. Standard library only; no I/O, no clock, no randomness."""
