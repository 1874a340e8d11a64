# SPDX-License-Identifier: AGPL-3.0-or-later
"""What whoever brings a message hears when nobody at all gets it (services/audience.py)."""

import pytest

from razdar.model.verdict import Refusal
from razdar.services.audience import why_nobody
from razdar.wire.smtp import replies


@pytest.mark.parametrize(
    ("reasons", "answer"),
    [
        ([replies.NO_SUCH_USER], replies.NO_SUCH_USER),
        ([replies.MAILBOX_FULL, replies.MAILBOX_FULL], replies.MAILBOX_FULL),
        ([replies.MAILBOX_FULL, replies.NO_SUCH_USER], replies.NO_RECIPIENT),
        ([replies.NO_SUCH_USER, replies.MAILBOX_FULL_NOW], replies.MAILBOX_FULL_NOW),
        ([replies.NO_SUCH_USER, replies.QUEUE_FULL, replies.MAILBOX_FULL_NOW], replies.QUEUE_FULL),
    ],
    ids=["one", "all the same", "different", "one of them later", "the first of those later"],
)
def test_one_answer_for_all(reasons: list[Refusal], answer: Refusal) -> None:
    assert why_nobody(reasons) is answer
