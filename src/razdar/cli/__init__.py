# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a person types. Each command is a file here; `main` reads the words, calls it and turns a Trouble into one sentence.

Only the standard library is imported until a command needs more, so that `--help` and `config` work before anything is installed.
"""

import importlib
import sys
from collections.abc import Sequence

from razdar.cli.arguments import build_parser, in_order
from razdar.cli.terminal import say, speak_utf8
from razdar.model.trouble import Trouble

PASSED_ON = {"test": "razdar.cli.suite", "bench": "razdar.cli.bench", "try": "razdar.tryout"}
"""Commands whose words are not ours to read; each module has `run(words) -> int`."""
COMMANDS = {
    "up": "razdar.cli.up",
    "invite": "razdar.cli.invite",
    "apps": "razdar.cli.apps",
    "dns": "razdar.cli.dns",
    "peer": "razdar.cli.peer",
    "queue": "razdar.cli.queue",
    "status": "razdar.cli.status",
    "console": "razdar.cli.console",
    "verify": "razdar.cli.verify",
    "config": "razdar.cli.show_config",
    "check": "razdar.cli.check",
    "backup": "razdar.cli.backup",
    "restore": "razdar.cli.restore",
    "audit": "razdar.cli.audit",
    "sbom": "razdar.cli.sbom",
    "wheel": "razdar.cli.wheel",
}


def main(words: Sequence[str] | None = None) -> int:
    """Does what the words say; returns the exit code: 0 done, 1 a Trouble or a failed check, 2 misused, 130 interrupted."""
    speak_utf8()
    words = sys.argv[1:] if words is None else words
    try:
        if words and words[0] in PASSED_ON and not {"-h", "--help"} & set(words):
            return int(importlib.import_module(PASSED_ON[words[0]]).run(list(words[1:])))
        parser = build_parser()
        arguments = parser.parse_args(in_order(words))
        if arguments.command is None:
            parser.print_help()
            return 0
        return int(importlib.import_module(COMMANDS[arguments.command]).run(arguments))
    except Trouble as trouble:
        say(trouble.persian, trouble.english, to=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # `./razdar config | head`
        sys.stderr.close()
        return 1
