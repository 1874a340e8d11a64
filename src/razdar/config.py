# SPDX-License-Identifier: AGPL-3.0-or-later
"""Where settings come from: defaults, then a TOML file, then what was changed at the console, then the command line; the last one wins.

Promises that every value has its type and lies in its range, that no setting is misspelt silently, and that each value can say where it
came from. A mistake is a `Trouble`: one sentence with the file and the setting. What the settings mean is in settings.py.
"""

import difflib
import ipaddress
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import Field, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, get_origin

from razdar.model.address import parse_address
from razdar.model.trouble import Trouble
from razdar.settings import NEEDS_RESTART, Settings, port_layout

FILE_NAME = "razdar.toml"
"""The file in the data folder that is read when no other is given."""
DESK_FILE_NAME = "console.toml"
"""What the operator changed at the console: a file of its own in the data folder, so that the comments of the other one stay."""
DEFAULT = "default"
COMMAND_LINE = "command line"

_FIELDS: Mapping[str, "Field[Any]"] = {each.name: each for each in fields(Settings)}
_TRUE, _FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunConfig:
    """All that a start of the relay is told."""

    settings: Settings
    data: Path
    """The data folder, absolute."""
    file: Path | None = None
    """The file that was given with --config; None: razdar.toml in the data folder, if it is there."""
    changes: tuple[tuple[str, str], ...] = ()
    """What the command line sets, in its order."""
    origins: Mapping[str, str] = field(default_factory=dict)
    """Where each setting comes from: `default`, a file's path, or `command line`."""
    change_name: bool = False
    """Whether a domain other than the remembered one is meant (adapters/identity.py)."""

    def reload(self) -> "RunConfig":
        """The same start with the file as it is now; what needs a restart stays. Trouble if it has a mistake; then nothing has changed."""
        new = read_config(self.data, file=self.file, changes=self.changes, change_name=self.change_name)
        kept = {name: getattr(self.settings, name) for name in NEEDS_RESTART}
        return replace(new, settings=replace(new.settings, **kept))


def read_config(data: Path, *, file: Path | None = None, changes: Sequence[tuple[str, str]] = (), change_name: bool = False) -> RunConfig:
    """Defaults, then the file, then that of the console, then `changes` (name and text, as typed after --set)."""
    data = data.absolute()
    values: dict[str, Any] = {}
    origins = dict.fromkeys(_FIELDS, DEFAULT)
    for path, must_exist in ((file or data / FILE_NAME, file is not None), (data / DESK_FILE_NAME, False)):
        for name, value in _read_file(path, must_exist=must_exist).items():
            values[name] = _from_toml(_known(name, str(path)), value, str(path))
            origins[name] = str(path)
    for name, text in changes:
        values[name] = _from_text(_known(name, COMMAND_LINE), text)
        origins[name] = COMMAND_LINE
    settings = Settings(**{name: _checked(_FIELDS[name], value, origins[name]) for name, value in values.items()})
    _check_together(settings, origins)
    return RunConfig(settings=settings, data=data, file=file, changes=tuple(changes), origins=origins, change_name=change_name)


def check_setting(name: str, text: str, where: str) -> object:
    """The value that `text` means for the setting, in its type and range. Trouble if it has none."""
    field = _known(name, where)
    return _checked(field, _from_text(field, text), where)


def split_assignment(text: str) -> tuple[str, str]:
    """`key=value` as typed after --set."""
    name, equals, value = text.partition("=")
    if not equals:
        raise Trouble(f"پس از ‎--set‎ باید نام=مقدار بیاید، نه {text}.", f"After --set comes key=value, not {text}.")
    return name.strip().replace("-", "_"), value.strip()


def normal_domain(text: str) -> str:
    """A domain in lower case; an IP literal in brackets as in addresses (`[192.0.2.7]`, `[ipv6:2001:db8::1]`). ValueError if neither."""
    bare = text.lower().rstrip(".").removeprefix("[").removesuffix("]").removeprefix("ipv6:")
    try:
        address = ipaddress.ip_address(bare)
    except ValueError:
        domain = bare
    else:
        domain = f"[{address}]" if address.version == 4 else f"[ipv6:{address}]"
    if parse_address(f"x@{domain}") is None:
        raise ValueError(text)
    return domain


def _read_file(path: Path, *, must_exist: bool) -> Mapping[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if not must_exist:
            return {}
        raise Trouble(f"پروندهٔ تنظیم {path} پیدا نشد.", f"The configuration file {path} does not exist.") from None
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "not UTF-8"
        raise Trouble(f"پروندهٔ تنظیم {path} خوانده نشد: {why}.", f"The configuration file {path} cannot be read: {why}.") from error
    except (ValueError, RecursionError) as error:  # the parser says no more of brackets without end and of numbers with 5000 digits
        raise Trouble(
            f"پروندهٔ تنظیم {path} درست نوشته نشده است: {error}.", f"The configuration file {path} is not valid TOML: {error}."
        ) from error


def _known(name: str, where: str) -> "Field[Any]":
    if name in _FIELDS:
        return _FIELDS[name]
    nearest = difflib.get_close_matches(name, _FIELDS, n=1, cutoff=0.5)
    hint_fa, hint_en = (
        (f"؛ شاید {nearest[0]}؟", f"; did you mean {nearest[0]}?")
        if nearest
        else ("؛ ‎./razdar config‎ همه را نشان می‌دهد.", "; ./razdar config lists them all.")
    )
    raise Trouble(f"{where}: تنظیمی به نام {name} نیست{hint_fa}", f"{where}: there is no setting {name}{hint_en}")


def _wrong(field: "Field[Any]", where: str, value: object, persian: str, english: str) -> Trouble:
    return Trouble(
        f"{where}: مقدار {value} برای {field.name} درست نیست: {persian}.", f"{where}: {field.name} cannot be {value}: {english}."
    )


def _from_toml(field: "Field[Any]", value: object, where: str) -> object:
    """The value as its setting's type; a number is taken for `ports`, a whole number for a fraction, one text for a list."""
    kind = get_origin(field.type) or field.type
    if kind is tuple:
        listed = [value] if isinstance(value, str) else value
        if isinstance(listed, list) and all(isinstance(each, str) for each in listed):
            return tuple(listed)
        raise _wrong(field, where, value, "فهرستی از رشته‌ها لازم است", "a list of strings is needed")
    if field.name == "ports" and type(value) is int:
        return str(value)
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        raise _wrong(field, where, value, *_NEEDED[kind])
    return value


_NEEDED: Mapping[Any, tuple[str, str]] = {
    str: ("رشته‌ای در گیومه لازم است", "a string in quotes is needed"),
    int: ("عدد درست لازم است", "a whole number is needed"),
    float: ("عدد لازم است", "a number is needed"),
    bool: ("true یا false لازم است", "true or false is needed"),
}


def _bool(text: str) -> bool:
    if text.lower() not in _TRUE + _FALSE:
        raise ValueError(text)
    return text.lower() in _TRUE


def _list(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


_PARSERS: Mapping[Any, Callable[[str], object]] = {str: str, int: int, float: float, bool: _bool, tuple: _list}


def _from_text(field: "Field[Any]", text: str) -> object:
    kind = get_origin(field.type) or field.type
    try:
        return _PARSERS[kind](text)
    except ValueError:
        raise _wrong(field, COMMAND_LINE, text or "empty", *_NEEDED[kind]) from None


def _checked(field: "Field[Any]", value: Any, where: str) -> Any:
    """The value in its normal form, inside its range."""
    low, high, choices = (field.metadata[key] for key in ("low", "high", "choices"))
    if choices and value not in choices:
        raise _wrong(field, where, value, "یکی از این‌ها لازم است: " + "، ".join(choices), "one of these is needed: " + ", ".join(choices))
    if low is not None and not value >= low:
        raise _wrong(field, where, value, f"دست‌کم {low} لازم است", f"at least {low} is needed")
    if high is not None and not value <= high:
        raise _wrong(field, where, value, f"بیش از {high} نمی‌شود", f"at most {high} is possible")
    special = _SPECIAL.get(field.name)
    if special is None or not value:
        return value
    try:
        return special[0](value)
    except ValueError:
        raise _wrong(field, where, value, special[1], special[2]) from None


def _ports(value: str) -> str:
    port_layout(value)
    return value


def _bind(value: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(str(ipaddress.ip_address(each.removeprefix("[").removesuffix("]"))) for each in value)


def _link(value: str) -> str:
    if not value.startswith(("mailto:", "https:", "http:")):
        raise ValueError(value)
    return value


def _host(value: str) -> str:
    return normal_domain(value).removeprefix("[").removesuffix("]").removeprefix("ipv6:")


def _absolute(value: str) -> str:
    return str(Path(value).expanduser().absolute())


_SPECIAL: Mapping[str, tuple[Callable[[Any], Any], str, str]] = {
    "domain": (normal_domain, "نام دامنه یا نشانی IP لازم است", "a domain name or an IP address is needed"),
    "advertise": (_host, "نام میزبان یا نشانی IP لازم است", "a host name or an IP address is needed"),
    "ports": (_ports, "standard، high یا عددی از ۴۱۹ تا ۶۴۹۸۵ لازم است", "standard, high or a number from 419 to 64985 is needed"),
    "bind": (_bind, "نشانی‌های IP لازم است", "IP addresses are needed"),
    "contact": (_link, "با mailto: یا https: آغاز می‌شود", "it begins with mailto: or https:"),
    "push_url": (_link, "با https: آغاز می‌شود", "it begins with https:"),
    "iroh_relay": (_link, "با https: آغاز می‌شود", "it begins with https:"),
    "certificate": (_absolute, "", ""),
    "certificate_key": (_absolute, "", ""),
}


def _check_together(settings: Settings, origins: Mapping[str, str]) -> None:
    """What only makes sense in pairs."""
    if bool(settings.certificate) != bool(settings.certificate_key):
        given, other = ("certificate", "certificate_key") if settings.certificate else ("certificate_key", "certificate")
        raise _wrong(
            _FIELDS[given],
            origins[given],
            settings.certificate or settings.certificate_key,
            f"{other} هم لازم است",
            f"{other} is needed too",
        )
    if not settings.bind:
        raise _wrong(_FIELDS["bind"], origins["bind"], "empty", "دست‌کم یک نشانی لازم است", "at least one address is needed")
    if settings.local_part_min > settings.local_part_max:
        blamed = "local_part_max" if origins["local_part_min"] == DEFAULT else "local_part_min"
        persian, english = "کمینه از بیشینه بیشتر است", "local_part_min is more than local_part_max"
        raise _wrong(_FIELDS[blamed], origins[blamed], getattr(settings, blamed), persian, english)


def type_name(field: "Field[Any]") -> str:
    """What kind of value a setting takes, for people."""
    kind: Any = get_origin(field.type) or field.type
    return {str: "text", int: "number", float: "fraction", bool: "true or false", tuple: "list"}[kind]
