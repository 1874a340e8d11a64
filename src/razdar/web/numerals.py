# SPDX-License-Identifier: AGPL-3.0-or-later
"""Numbers as people write them: Persian digits with ٬ and ٫, or English ones. Addresses, ports and codes are not numbers and stay ASCII."""

_PERSIAN = str.maketrans("0123456789,.", "۰۱۲۳۴۵۶۷۸۹٬٫")
_TYPED = str.maketrans("0123456789.", "۰۱۲۳۴۵۶۷۸۹٫")
_ANY_DIGITS = str.maketrans("۰۱۲۳۴۵۶۷۸۹٠١٢٣٤٥٦٧٨٩", "01234567890123456789")


def number(value: int, language: str) -> str:
    """`value` with thousands set apart."""
    return _spelled(f"{value:,}", language)


def quantity(amount: int, unit: int, language: str) -> str:
    """`amount / unit`, rounded down to one decimal, which is left out if it is zero."""
    whole, tenth = divmod(amount * 10 // unit, 10)
    return _spelled(f"{whole:,}.{tenth}" if tenth else f"{whole:,}", language)


def ascii_digits(text: str) -> str:
    """`text` with Persian and Arabic digits as ASCII ones: what a Persian keyboard types into an address."""
    return text.translate(_ANY_DIGITS)


def digits(text: str, language: str) -> str:
    """`text` as it is typed in that language: `0.25` is `۰٫۲۵`."""
    return text.translate(_TYPED) if language == "fa" else text


def _spelled(text: str, language: str) -> str:
    return text.translate(_PERSIAN) if language == "fa" else text
