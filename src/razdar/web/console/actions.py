# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the operator can do: each action with its fields, its question, what it does and how it is taken back.

An action is checked, then asked about once, then done, then written into the log by its kind. `check` and `run` answer with the key of a
sentence if it cannot be. The log never gets what was typed, only settings and their values.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields

from razdar.model.address import Address, parse_address
from razdar.model.trouble import Trouble
from razdar.settings import Settings
from razdar.web.console.action import Action, Done, Field, Values
from razdar.web.console.desk import Desk
from razdar.web.console.invitations import Invitations
from razdar.web.console.peers import PeerActions
from razdar.web.numerals import ascii_digits

PASSPHRASE_MIN = 12
_META = {each.name: each.metadata for each in fields(Settings)}


@dataclass(frozen=True, slots=True)
class Actions:
    """All actions of one relay's console, by name."""

    desk: Desk
    settings: Callable[[], Settings]
    domain: str
    draw_cards: Callable[[Sequence[str], str, int, str], str]
    """Codes, the welcome page's address, days and a note: a file to print (web/sheet.py)."""
    by_name: Mapping[str, Action] = field(init=False)

    def __post_init__(self) -> None:
        every = (
            *Invitations(self.desk, self.draw_cards).every(),
            *PeerActions(self.desk).every(),
            Action("app_remove", self._remove_app, self._app_fields, self._check_app, is_grave=True),
            Action("registration", self._set, self._registration_fields, self._check_registration, is_grave=True),
            Action("setting", self._set, self._setting_fields, self._check_setting),
            Action("restore", self._restore, self._restore_fields, self._check_restore),
            Action("block", self._block, lambda _: (Field("address", "address"),), self._check_address, is_grave=True),
            Action("unblock", self._unblock, lambda _: (Field("address", "address"),), self._check_address),
            Action("reload", self._reload),
            Action("backup", self._backup, lambda _: _BACKUP_FIELDS, _check_passphrase, is_asked=False),
            Action("forget", self._forget, is_grave=True),
        )
        object.__setattr__(self, "by_name", {each.name: each for each in every})

    # settings

    def _registration_fields(self, _: Values) -> tuple[Field, ...]:
        return (Field("value", "choice", self.settings().registration, ("open", "invite", "closed")),)

    def _check_registration(self, typed: Values) -> Values | str:
        return self._check_setting({**typed, "name": "registration"})

    def _setting_fields(self, typed: Values) -> tuple[Field, ...]:
        name = typed.get("name", "")
        if name not in self.desk.changeable() or not is_plain(name):
            return ()
        present = getattr(self.settings(), name)
        if isinstance(present, bool):
            return (Field("name", "hidden", name), Field("value", "choice", str(present).lower(), ("true", "false")))
        return (Field("name", "hidden", name), Field("value", "number", str(present)))

    def _check_setting(self, typed: Values) -> Values | str:
        name, value = (
            typed.get("name", ""),
            ascii_digits(typed.get("value", "")).replace("٫", ".").replace("٬", "").replace(",", "").strip(),
        )
        if not self.desk.changeable().get(name, False) or not (is_plain(name) or name == "registration"):
            return "mistake_setting"
        return {"name": name, "value": value} if _is_possible(name, value) else "mistake_value"

    async def _set(self, values: Values) -> Done | str:
        name = values["name"]
        undo = ("restore", {"name": name, "value": self.desk.own_value(name) or ""})
        return await self._change(name, values["value"], undo)

    def _restore_fields(self, typed: Values) -> tuple[Field, ...]:
        return (Field("name", "hidden", typed.get("name", "")), Field("value", "hidden", typed.get("value", "")))

    def _check_restore(self, typed: Values) -> Values | str:
        if typed.get("value"):
            return self._check_setting(typed)
        name = typed.get("name", "")
        return {"name": name, "value": ""} if self.desk.changeable().get(name, False) else "mistake_setting"

    async def _restore(self, values: Values) -> Done | str:
        return await self._change(values["name"], values["value"] or None, None)

    async def _change(self, name: str, value: str | None, undo: tuple[str, Values] | None) -> Done | str:
        before = str(getattr(self.settings(), name))
        try:
            await self.desk.change(name, value)
        except Trouble:
            return "mistake_value"
        except OSError:
            return "mistake_disk"
        return Done(undo, setting=name, before=before, after=str(getattr(self.settings(), name)))

    # blocking

    def _check_address(self, typed: Values) -> Values | str:
        address = self._address(typed.get("address", ""))
        return "mistake_address" if address is None else {"address": str(address)}

    def _address(self, typed: str) -> Address | None:
        text = ascii_digits(typed).strip()
        address = parse_address(text if "@" in text else f"{text}@{self.domain}")
        return address if address is not None and self.desk.blocks.is_ours(address) else None

    async def _block(self, values: Values) -> Done | str:
        return await self._turn(values, self.desk.blocks.block, "unblock", "mistake_blocked")

    async def _unblock(self, values: Values) -> Done | str:
        return await self._turn(values, self.desk.blocks.unblock, "block", "mistake_not_blocked")

    async def _turn(self, values: Values, turn: Callable[[Address], Awaitable[bool]], back: str, mistake: str) -> Done | str:
        address = self._address(values["address"])
        if address is None:
            return "mistake_address"
        try:
            return Done((back, values)) if await turn(address) else mistake
        except OSError:
            return "mistake_disk"

    # the rest

    def _app_fields(self, typed: Values) -> tuple[Field, ...]:
        return (Field("name", "hidden", typed.get("name", "")),)

    def _check_app(self, typed: Values) -> Values | str:
        name = typed.get("name", "")
        return {"name": name} if name in {each.name for each in self.desk.apps()} else "mistake_app"

    async def _remove_app(self, values: Values) -> Done | str:
        try:
            await self.desk.remove_app(values["name"])
        except (Trouble, OSError):
            return "mistake_disk"
        return Done()

    async def _reload(self, _: Values) -> Done | str:
        try:
            self.desk.reload()
        except Trouble:
            return "mistake_reload"
        return Done()

    async def _backup(self, values: Values) -> Done | str:
        try:
            return Done(download=await self.desk.backup(values["passphrase"]), name="razdar-backup")
        except (Trouble, OSError):
            return "mistake_backup"

    async def _forget(self, _: Values) -> Done | str:
        try:
            await self.desk.passkeys.forget_all()
        except OSError:
            return "mistake_disk"
        return Done()


_BACKUP_FIELDS = (Field("passphrase", "password"), Field("again", "password"))


def is_plain(name: str) -> bool:
    """Whether the console shows the setting among the limits: a number or a switch. Texts may name people and stay in the file."""
    return isinstance(getattr(Settings(), name, None), (bool, int, float))


def bounds(name: str) -> tuple[float | None, float | None]:
    """The lowest and the highest value of a setting."""
    return _META[name]["low"], _META[name]["high"]


def _is_possible(name: str, text: str) -> bool:
    """Type and range; what only makes sense in pairs is found when the relay reads its configuration."""
    kind, meta = type(getattr(Settings(), name)), _META[name]
    try:
        value = text in ("true", "false") if kind is bool else kind(text)
    except ValueError:
        return False
    if kind is bool or meta["choices"]:
        return bool(value) if kind is bool else value in meta["choices"]
    return (meta["low"] is None or value >= meta["low"]) and (meta["high"] is None or value <= meta["high"])


def _check_passphrase(typed: Values) -> Values | str:
    passphrase = typed.get("passphrase", "")
    if len(passphrase) < PASSPHRASE_MIN:
        return "mistake_short"
    return {"passphrase": passphrase} if passphrase == typed.get("again") else "mistake_again"
