# SPDX-License-Identifier: AGPL-3.0-or-later
"""The composition root: the only folder that sees every part. `serve` is its door; newcomers read `build` first."""

from razdar.app.running import serve

__all__ = ["serve"]
