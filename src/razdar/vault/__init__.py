# SPDX-License-Identifier: AGPL-3.0-or-later
"""Cryptography of the sealed store: what lies on disk is made here and can be opened only here.

Nothing in this package touches the disk, and nothing outside of it touches a cipher. Three kinds of secrets exist: an account's private
key (locked under its password), the content key of one message (inside the seals of its recipients), and the boot key (in RAM only).
Formats are described in docs/storage.md; each carries its name and version in the data that the cipher authenticates.
"""
