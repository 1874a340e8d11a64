# SPDX-License-Identifier: AGPL-3.0-or-later
"""Answers Dovecot's dict protocol, as the little servers of a chatmail relay do: who may log in, when they did, and notices of new mail.

An account comes into being at its first login, with a SHA-512-crypt hash in a file of its own. Everything else that is set is noted and
forgotten. Dovecot's documentation describes the protocol: one line per request, fields with tabs, an answer to look-ups and commits only.

    python accounts.py MAIL_FOLDER DOMAIN FIRST_ID < LISTENING_SOCKET      (FIRST_ID 0: all sessions have the same user id)
"""

import asyncio
import ctypes
import json
import os
import random
import socket
import string
import sys
from pathlib import Path

_LETTERS = "./" + string.digits + string.ascii_letters


def sha512_crypt(password: str) -> str:
    """With a fresh salt, as crypt(5) writes it."""
    library = ctypes.CDLL("libcrypt.so.1")
    library.crypt.restype = ctypes.c_char_p
    salt = "".join(random.SystemRandom().choices(_LETTERS, k=16))
    made: bytes = library.crypt(password.encode(), f"$6${salt}$".encode())
    return made.decode()


def fields(text: str) -> list[str]:
    """Parts between double quotes; a backslash keeps the next character as it is."""
    parts, is_kept = [""], False
    for character in text:
        if is_kept or character not in '\\"':
            parts[-1] += character
            is_kept = False
        elif character == "\\":
            is_kept = True
        else:
            parts.append("")
    return parts


class Accounts:
    """Folder by folder: whoever has one has an account."""

    def __init__(self, folder: Path, domain: str, first_id: int) -> None:
        self._folder, self._domain, self._first_id = folder, domain, first_id
        self._count = sum(1 for _ in folder.iterdir())

    def answer(self, key: str) -> str:
        """To a look-up of `key`."""
        known = None
        if key.startswith("shared/passdb/"):
            password, address = fields(key.removeprefix("shared/passdb/"))
            known = self.entry(address) or self.create(address, password)
        elif key.startswith("shared/userdb/"):
            service, _, address = key.removeprefix("shared/userdb/").partition("/")
            known = self.entry(fields(address)[0], service)
        return "O" + json.dumps(known) if known else "N"

    def entry(self, address: str, service: str = "") -> dict[str, str] | None:
        """What Dovecot wants to know of the account. An IMAP session may have a user id of its own, deliveries never have."""
        home = self._folder / address
        try:
            number, password = (home / "password").read_text().split()
        except FileNotFoundError:
            return None
        owner = number if self._first_id and service == "imap" else "vmail"
        return {"uid": owner, "gid": "vmail", "home": str(home), "password": "{SHA512-CRYPT}" + password}

    def create(self, address: str, password: str) -> dict[str, str] | None:
        """The account is there, and its group may write in it. None: no such address can be here."""
        local, _, domain = address.partition("@")
        if domain != self._domain or "/" in address or not local:
            return None
        home, vmail = self._folder / address, self._folder.stat().st_gid
        home.mkdir()
        os.chown(home, vmail, vmail)
        home.chmod(0o2770)
        (home / "password").write_text(f"{self._first_id + self._count} {sha512_crypt(password)}")
        self._count += 1
        return self.entry(address)


async def serve(listening: socket.socket, accounts: Accounts) -> None:
    """Until cancelled."""

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := (await reader.readline()).decode().rstrip("\n"):
            if line[0] == "L":
                writer.write((accounts.answer(line[1:].split("\t")[0]) + "\n").encode())
            elif line[0] == "C":
                writer.write(b"O\n")
        writer.close()

    server = await asyncio.start_unix_server(speak, sock=listening)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(socket.socket(fileno=0), Accounts(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))))
