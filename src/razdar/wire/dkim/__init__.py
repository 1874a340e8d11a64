# SPDX-License-Identifier: AGPL-3.0-or-later
"""DKIM signatures (RFC 6376, RFC 8301, RFC 8463): bytes in, values out. Keys, DNS, clock and the cryptographic primitive are handed in."""
