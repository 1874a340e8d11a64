# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the relay does for people, one use case a file. Newcomers start here: submit.py, deliver.py, mailbox.py, accounts.py."""
