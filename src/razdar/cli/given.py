# SPDX-License-Identifier: AGPL-3.0-or-later
"""From parsed words to a RunConfig: the short flags are settings like any other."""

import argparse

from razdar.config import RunConfig, read_config, split_assignment


def run_config(arguments: argparse.Namespace) -> RunConfig:
    """Settings as the command line gives them, the short flags last. Trouble if one is wrong."""
    changes = [split_assignment(text) for text in arguments.set]
    if arguments.domain is not None:
        changes.append(("domain", arguments.domain))
    if arguments.bind:
        changes.append(("bind", ",".join(arguments.bind)))
    if arguments.ports is not None:
        changes.append(("ports", arguments.ports))
    change_name = getattr(arguments, "change_name", False)
    return read_config(arguments.data, file=arguments.config, changes=changes, change_name=change_name)
