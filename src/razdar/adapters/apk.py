# SPDX-License-Identifier: AGPL-3.0-or-later
"""Which version an Android package says it is: its AndroidManifest.xml, in the binary form that Android's tools write.

Reads the string table and the attributes of the first element, and nothing else; whatever is odd is "not known", never an error, because
the operator can say the version himself.
"""

import struct
import zipfile
from pathlib import Path

_MANIFEST_BYTES = 4_194_304
_STRINGS, _RESOURCES, _START = 0x0001, 0x0180, 0x0102
_VERSION_CODE, _VERSION_NAME = 0x0101021B, 0x0101021C
_UTF8, _NONE = 0x100, 0xFFFFFFFF


def apk_version(file: Path) -> tuple[str, int] | None:
    """Name and number of the version, or None if the file does not tell them."""
    try:
        with zipfile.ZipFile(file) as package, package.open("AndroidManifest.xml") as entry:
            manifest = entry.read(_MANIFEST_BYTES)
        return manifest_version(manifest)
    except (OSError, KeyError, zipfile.BadZipFile, NotImplementedError, RuntimeError):
        return None


def manifest_version(manifest: bytes) -> tuple[str, int] | None:
    """The same for the manifest's bytes."""
    try:
        return _version(manifest)
    except (struct.error, IndexError, ValueError):
        return None


def _version(manifest: bytes) -> tuple[str, int] | None:
    strings, resources, at = list[str](), tuple[int, ...](), 8
    while at + 8 <= len(manifest):
        kind, _, size = struct.unpack_from("<HHI", manifest, at)
        if size < 8:
            return None
        chunk = manifest[at : at + size]
        if kind == _STRINGS:
            strings = _strings(chunk)
        elif kind == _RESOURCES:
            resources = struct.unpack_from(f"<{(size - 8) // 4}I", chunk, 8)
        elif kind == _START:
            return _attributes(chunk, strings, resources)
        at += size
    return None


def _attributes(chunk: bytes, strings: list[str], resources: tuple[int, ...]) -> tuple[str, int] | None:
    start, size, count = struct.unpack_from("<HHH", chunk, 24)
    name, number = "", 0
    for position in range(min(count, 100)):
        _, key, text, _, _, _, value = struct.unpack_from("<IIIHBBI", chunk, 16 + start + position * size)
        meaning = resources[key] if key < len(resources) else 0
        if meaning == _VERSION_CODE:
            number = value
        elif meaning == _VERSION_NAME and text != _NONE:
            name = strings[text]
    return (name, number) if name and number else None


def _strings(chunk: bytes) -> list[str]:
    count, _, flags, start, _ = struct.unpack_from("<IIIII", chunk, 8)
    places = struct.unpack_from(f"<{min(count, len(chunk) // 4)}I", chunk, 28)
    return [_string(chunk, start + place, is_utf8=bool(flags & _UTF8)) for place in places]


def _string(chunk: bytes, at: int, *, is_utf8: bool) -> str:
    if not is_utf8:
        letters = struct.unpack_from("<H", chunk, at)[0]
        return chunk[at + 2 : at + 2 + 2 * letters].decode("utf-16-le", "replace")
    at += 2 if chunk[at] & 0x80 else 1  # the length in characters, then that in bytes
    size, at = ((chunk[at] & 0x7F) << 8 | chunk[at + 1], at + 2) if chunk[at] & 0x80 else (chunk[at], at + 1)
    return chunk[at : at + size].decode("utf-8", "replace")
