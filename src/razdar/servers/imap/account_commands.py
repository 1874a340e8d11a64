# SPDX-License-Identifier: AGPL-3.0-or-later
"""Handlers of commands about the account and the server: login, quota, metadata."""

from collections.abc import Awaitable, Callable

from razdar.model.address import parse_address
from razdar.model.verdict import Refusal
from razdar.ports.crew import CrewBusy
from razdar.servers.imap.desk import Counter
from razdar.servers.imap.folder_commands import NO_SUCH_FOLDER, required
from razdar.wire.imap import commands as c
from razdar.wire.imap import responses as r
from razdar.wire.smtp import replies

QUOTA_ROOT = ""
QUOTA_UNIT_BYTES = 1024  # RFC 9208 section 5.1
DEVICE_TOKEN = "/private/devicetoken"  # noqa: S105 - the name of an entry


async def log_in(counter: Counter, command: c.Login) -> None:
    try:
        answer = await counter.desk.accounts.log_in(parse_address(command.user), command.password, counter.origin)
    except CrewBusy:
        counter.session.no("Too many logins at this moment, try again soon", "UNAVAILABLE")
        return
    if answer == replies.BLOCKED:
        counter.session.no(replies.BLOCKED.text, "CONTACTADMIN")  # RFC 5530: nothing the person types can help
        return
    if isinstance(answer, Refusal):
        counter.count("login.refused")
        counter.session.no("Wrong user name or password", "AUTHENTICATIONFAILED")
        return
    counter.login = answer
    counter.watch(answer)
    counter.session.ok("Logged in")


async def noop(counter: Counter, command: c.Noop) -> None:
    await counter.conclude(command)


async def get_quota_root(counter: Counter, command: c.GetQuotaRoot) -> None:
    counter.session.untagged(r.quota_root(command.mailbox, QUOTA_ROOT))
    await _send_quota(counter, command)


async def get_quota(counter: Counter, command: c.GetQuota) -> None:
    if command.root != QUOTA_ROOT:
        counter.session.no("There is no such quota root", "NONEXISTENT")
        return
    await _send_quota(counter, command)


async def set_quota(counter: Counter, _: c.SetQuota) -> None:
    counter.session.no("The quota is the relay's to set", "NOPERM")


async def _send_quota(counter: Counter, command: c.Command) -> None:
    used = await counter.desk.mailboxes.used_bytes(required(counter.login))
    limit = counter.desk.settings().quota_bytes
    counter.session.untagged(r.quota(QUOTA_ROOT, {"STORAGE": (used // QUOTA_UNIT_BYTES, limit // QUOTA_UNIT_BYTES)}))
    await counter.conclude(command)


async def get_metadata(counter: Counter, command: c.GetMetadata) -> None:
    """An entry that is not there is left out, never an error: an error would end the client's session (docs/interop.md)."""
    if await _is_no_folder(counter, command.mailbox):
        return
    known = {} if command.mailbox else counter.desk.server_metadata()
    values: dict[str, bytes | None] = {}
    for entry in command.entries:
        for name, value in known.items():
            deeper = name.startswith(entry.rstrip("/") + "/") and command.depth != "0"
            near = command.depth == "infinity" or "/" not in name[len(entry.rstrip("/")) + 1 :]
            if name == entry or (deeper and near):
                values[name] = value
    limit = command.max_size
    fitting = {name: value for name, value in values.items() if limit is None or len(value or b"") <= limit}
    if fitting:
        counter.session.untagged(r.metadata(command.mailbox, fitting))
    too_long = max((len(value or b"") for value in values.values()), default=0)
    await counter.conclude(command, code=f"METADATA LONGENTRIES {too_long}" if len(fitting) < len(values) else None)


async def set_metadata(counter: Counter, command: c.SetMetadata) -> None:
    """Only a push token can be set. Removing is accepted: a token goes by itself when it is not renewed."""
    login = required(counter.login)
    if await _is_no_folder(counter, command.mailbox):
        return
    for entry, value in command.values:
        if entry != DEVICE_TOKEN or not command.mailbox:
            counter.session.no("This entry cannot be set here", "NOPERM")
            return
        if value is not None and not await counter.desk.tokens.put(login, value):
            counter.session.no("This is no push token", "METADATA MAXSIZE 4096")
            return
    await counter.conclude(command)


async def _is_no_folder(counter: Counter, name: str) -> bool:
    """Then the command has been answered. The empty name means the server."""
    if not name or await counter.desk.folders.find(required(counter.login), name) is not None:
        return False
    counter.session.no(*NO_SUCH_FOLDER)
    return True


HANDLERS: dict[type[c.Command], Callable[..., Awaitable[None]]] = {
    c.Login: log_in,
    c.Noop: noop,
    c.GetQuotaRoot: get_quota_root,
    c.GetQuota: get_quota,
    c.SetQuota: set_quota,
    c.GetMetadata: get_metadata,
    c.SetMetadata: set_metadata,
}
