# SPDX-License-Identifier: AGPL-3.0-or-later
"""Builds every part of the relay, in the order in which they need each other. The stack closes them in the opposite order."""

from contextlib import AsyncExitStack

from razdar.adapters.apps import AppShelf
from razdar.app.ground import open_ground
from razdar.app.kept import open_statistics
from razdar.app.mail import open_boxes, open_mail
from razdar.app.parts import Parts
from razdar.app.people import open_people
from razdar.app.push import open_push
from razdar.config import RunConfig


async def build(config: RunConfig, stack: AsyncExitStack) -> Parts:
    ground = await open_ground(config, stack)
    push = open_push(ground, stack)
    people = open_people(ground)
    statistics = open_statistics(config.data, ground.clock, ground.journal)
    stack.push_async_callback(statistics.save)
    mail = await open_mail(ground, people, push, stack)
    boxes = open_boxes(ground, mail, stack)
    return Parts(ground, people, push, mail, boxes, statistics, AppShelf(config.data))
