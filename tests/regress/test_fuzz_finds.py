# SPDX-License-Identifier: AGPL-3.0-or-later
"""What fuzzing found (tests/fuzz), each with the bytes that showed it."""

from pathlib import Path

import pytest
from tests.fuzz.targets import _KEY, TARGETS

from razdar.config import FILE_NAME, read_config
from razdar.model.trouble import Trouble
from razdar.vault import folder, seal
from razdar.wire.imap.framing import Bounds, Frame, Framer


@pytest.mark.parametrize("record", [b"7", b"[1,[],true]", b'["x",7,true]', b'["x",[1],true]', b"[" * 500, b'{"a":1}', b'["x"]'])
def test_a_folder_record_of_another_shape_is_a_broken_seal(record: bytes) -> None:
    """`TypeError: cannot unpack non-iterable int object`: whoever holds the disk can seal anything for anybody."""
    sealed = seal.HPKE.encrypt(record, _KEY.key.public_key(), info=folder._CONTEXT)
    with pytest.raises(seal.SealBroken):
        folder.unseal_folder(_KEY, sealed)


@pytest.mark.parametrize("text", ["x = " + "[" * 20_000, "keep_days = " + "9" * 5_000], ids=["brackets without end", "5000 digits"])
def test_a_configuration_that_the_parser_gives_up_on_is_told_in_words(tmp_path: Path, text: str) -> None:
    """`RecursionError` and a `ValueError` that is no TOMLDecodeError."""
    (tmp_path / FILE_NAME).write_text(text)
    with pytest.raises(Trouble, match=FILE_NAME):
        read_config(tmp_path)


@pytest.mark.parametrize("line", [b"[" * 60_000, b'{"op":' * 9_000, b"\xff\xfe", b"null", b'{"op":"echo","n":' + b"9" * 5_000 + b"}"])
def test_the_control_socket_survives_any_line(line: bytes) -> None:
    TARGETS["control"](line)
    assert len(line) < 65_536, "longer lines are not read at all"


@pytest.mark.parametrize("cut", range(64))
def test_a_line_of_exactly_the_limit_may_be_cut_anywhere(cut: int) -> None:
    """Between its CR and its LF it was taken for one too long."""
    framer, line = Framer(Bounds(60, 40)), b"a" * 60 + b"\r\n"
    framer.receive(line[:cut])
    assert cut >= len(line) or framer.next_frame() is None
    framer.receive(line[cut:])
    assert framer.next_frame() == Frame((b"a" * 60,))
