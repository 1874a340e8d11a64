# SPDX-License-Identifier: AGPL-3.0-or-later
"""What an action of the console is: fields to fill in, a check, a question, what is done, and how it is taken back."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

Values = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Field:
    """One thing to fill in."""

    name: str
    kind: str = "text"
    """text, number, address, password, choice, area, hidden."""
    value: str = ""
    choices: tuple[str, ...] = ()
    is_optional: bool = False
    longest: int = 320


@dataclass(frozen=True, slots=True)
class Done:
    """It was done."""

    undo: tuple[str, Values] | None = None
    """The action, with its values, that takes it back."""
    more: tuple[str, Values] | None = None
    """Another action, with its values, that this one leads to."""
    count: int = 0
    """For its sentence."""
    link: str = ""
    download: bytes = b""
    name: str = ""
    """Of the file that is downloaded."""
    setting: str = ""
    before: str = ""
    after: str = ""
    """For the log."""


@dataclass(frozen=True, slots=True)
class Action:
    """`name` is also where its words stand: do_NAME_title, _text, _ask, _done, _button."""

    name: str
    run: Callable[[Values], Awaitable[Done | str]]
    fields: Callable[[Values], tuple[Field, ...]] = lambda _: ()
    check: Callable[[Values], Values | str] = lambda _: {}
    prepare: Callable[[Values], Awaitable[Values | str]] | None = None
    """What has to be looked up before it is asked about; its values are part of the question."""
    is_grave: bool = False
    """Whether people notice."""
    is_asked: bool = True
    """False: its form is the question."""
    is_logged: bool = True
    """False: it changes nothing."""
