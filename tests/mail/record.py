# SPDX-License-Identifier: AGPL-3.0-or-later
"""Records the corpus anew: what a real Delta Chat core of today submits, one file for each kind of message, into a folder of your choice.

    python -m tests.mail.record FOLDER

The people exist only for that moment, on a scripted relay on this machine. Look at what came before it replaces anything in `accepted`.
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.lab.client import Core, meet, running_core
from tests.lab.scripted import ScriptedRelay, scripted_relay


class Recorder:
    """Writes every submitted message into `folder`, numbered and under the label of the moment."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.label = "first"
        self.count = 0

    def keep(self, mail: bytes) -> None:
        self.count += 1
        (self.folder / f"{self.count:02d}-{self.label}.eml").write_bytes(mail)


def play(core: Core, relay: ScriptedRelay, recorder: Recorder) -> None:
    """Two people meet and do a little of everything."""
    codes = iter([relay.code("alialiali"), relay.code("baharbahar")])
    ali, bahar = core.people(["Ali", "Bahar"], lambda: next(codes))
    recorder.label = "secure-join"
    meet(ali, bahar)
    recorder.label = "text"
    ali.delivered(ali.writes("salam", ali.chat_with(bahar)))
    received = bahar.reads("salam")
    recorder.label = "reaction"
    bahar.delivered(received.send_reaction("👍"))
    recorder.label = "group"
    group = ali.account.create_group("two")
    group.add_contact(bahar.account)
    ali.delivered(group.send_text("hello"))


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    recorder = Recorder(folder)
    with TemporaryDirectory() as scratch, scripted_relay(Path(scratch)) as relay, running_core(Path(scratch) / "core") as core:
        relay.keep = recorder.keep
        play(core, relay, recorder)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
