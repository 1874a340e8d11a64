# SPDX-License-Identifier: AGPL-3.0-or-later
"""The relay and the people of `./razdar try`: a relay as a process of its own, and real Delta Chat cores.

Both end with their block, whatever happens in it. Whoever waits here waits for an event or an end of patience, and then says in one
sentence what did not come.
"""

import json
import os
import random
import secrets
import socket
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty
from typing import Any, TypeVar

from deltachat_rpc_client import Account, Chat, DeltaChat, Message, Rpc

from razdar.environment import CHECKOUT
from razdar.model.trouble import Trouble
from razdar.settings import port_layout

T = TypeVar("T")
PATIENCE_S = 30.0
READY_S = 20.0
TRIES = 50


@dataclass(frozen=True, slots=True)
class Relay:
    """A relay that accepts connections on 127.0.0.1."""

    domain: str
    imap_port: int
    smtp_port: int

    def code(self, password: str) -> str:
        """A `dclogin:` code for a new account with a name of nine letters, as the apps make them (WIRE.md, *Accounts*)."""
        local = "".join(secrets.choice("abcdefghijklmnopqrstuvwxyz0123456789") for _ in range(9))
        options = {"p": password, "v": 1, "ih": "127.0.0.1", "ip": self.imap_port, "is": "ssl"}
        options |= {"sh": "127.0.0.1", "sp": self.smtp_port, "ss": "ssl", "ic": 3}
        return f"dclogin:{local}@{self.domain}?{urllib.parse.urlencode(options)}"


@contextmanager
def relay(folder: Path) -> Iterator[Relay]:
    """A relay with its data in `folder/data`; all that it prints, at its most talkative, is in `folder/output.txt`."""
    folder.mkdir()
    data, base = folder / "data", _free_base()
    command = [
        sys.executable,
        "-m",
        "razdar",
        "up",
        "--data",
        str(data),
        "--bind",
        "127.0.0.1",
        "--ports",
        str(base),
        "--set",
        "log_level=debug",
    ]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(CHECKOUT / "src"), os.environ.get("PYTHONPATH", "")])}
    with (folder / "output.txt").open("wb") as output:
        process = subprocess.Popen([*command, "--quiet"], stdout=output, stderr=output, env=environment, cwd=folder)  # noqa: S603
    try:
        ports = port_layout(str(base))
        yield Relay(_ready(process, data, folder / "output.txt")["domain"], ports["imaps"], ports["submissions"])
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(10)
        process.kill()
        process.wait()


def _free_base() -> int:
    """A number for `--ports` whose ports nobody uses at this moment."""
    for _ in range(TRIES):
        base = random.randrange(20_000, 32_000)  # noqa: S311 - no secret
        with suppress(OSError):
            for port in port_layout(str(base)).values():
                socket.create_server(("127.0.0.1", port)).close()
            return base
    raise Trouble("درگاه آزادی پیدا نشد؛ برنامه‌های دیگر را ببندید.", "No free ports were found; close some other programs.")


def _ready(process: "subprocess.Popen[bytes]", data: Path, output: Path) -> dict[str, Any]:
    """What the relay says when all its listeners accept."""
    end = time.monotonic() + READY_S
    while process.poll() is None and time.monotonic() < end:
        with suppress(FileNotFoundError, json.JSONDecodeError):
            ready: dict[str, Any] = json.loads((data / "run" / "ready.json").read_text())
            return ready
        time.sleep(0.02)  # a file of another process; nothing announces it
    last = (output.read_text(errors="replace").strip().splitlines() or ["?"])[-1]
    raise Trouble(f"رله روشن نشد؛ آخرین چیزی که گفت این بود: {last}", f"The relay did not start; the last it said was: {last}")


@dataclass(frozen=True, slots=True)
class Person:
    """One profile in a core."""

    name: str
    password: str
    account: Account

    @property
    def address(self) -> str:
        return str(self.account.get_config("configured_addr"))

    def until(self, look: Callable[[], T | None], what: str = "") -> T:
        """What `look` finds, looked for again after each event of the client."""
        queue, end = self.account._rpc.get_queue(self.account.id), time.monotonic() + PATIENCE_S
        while (found := look()) is None:
            try:
                queue.get(timeout=max(0.0, end - time.monotonic()))
            except Empty:
                raise Trouble(
                    f"{self.name} در {PATIENCE_S:.0f} ثانیه آنچه باید می‌آمد ندید: {what}",
                    f"{self.name} waited {PATIENCE_S:.0f} seconds for what should have come: {what}",
                ) from None
        return found

    def event(self, kind: str, **fields: object) -> None:
        """Wait for the next event of this kind whose fields have these values."""
        queue = self.account._rpc.get_queue(self.account.id)
        end = time.monotonic() + PATIENCE_S
        with suppress(Empty):
            while True:
                event = queue.get(timeout=max(0.0, end - time.monotonic()))
                if event["kind"] == kind and all(event.get(name) == value for name, value in fields.items()):
                    return
        raise Trouble(f"{self.name} در {PATIENCE_S:.0f} ثانیه {kind} ندید.", f"{self.name} saw no {kind} within {PATIENCE_S:.0f} seconds.")

    def chat(self, other: "Person") -> Chat:
        return self.account.create_chat(other.account)

    def chat_named(self, name: str) -> Chat:
        """The group of that name."""
        chats = [chat for chat in self.account.get_chatlist() if isinstance(chat, Chat)]
        return next(chat for chat in chats if chat.get_basic_snapshot().name == name)

    def message(self, text: str, *, whole: bool = False) -> Message | None:
        """The message with this text, if it is there; `whole`: with all of its attachment."""
        for chat in self.account.get_chatlist():
            for message in chat.get_messages() if isinstance(chat, Chat) else []:
                snapshot = message.get_snapshot()
                if snapshot.text == text and (not whole or (snapshot.download_state == "Done" and snapshot.file)):
                    return message
        return None


@contextmanager
def core(folder: Path, relay: Relay, *names: str) -> Iterator[list[Person]]:
    """A Delta Chat core with people who are logged in and listening."""
    folder.mkdir()
    program = Path(sys.executable).with_name("deltachat-rpc-server")
    with (folder / "core.log").open("wb") as log:
        rpc = Rpc(str(folder / "accounts"), str(program), stderr=log)
        with rpc:
            manager = DeltaChat(rpc)
            people = [Person(name, secrets.token_urlsafe(16), manager.add_account()) for name in names]
            for person in people:
                person.account.set_config("displayname", person.name)
            waiting = [rpc.add_transport_from_qr.future(person.account.id, relay.code(person.password)) for person in people]
            for person, done in zip(people, waiting, strict=True):
                done()
                person.event("ImapInboxIdle")
            yield people
        if rpc.process.stdout:
            rpc.process.stdout.close()  # the library leaves both to the garbage collector
        rpc.process.wait(PATIENCE_S)
