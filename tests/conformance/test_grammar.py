# SPDX-License-Identifier: AGPL-3.0-or-later
"""The strict reader takes what the standards show and objects to what they forbid; a tester that objects to nothing proves nothing."""

import pytest
from tests.conformance.grammar import Reader, Violation, mailbox_name, wire_name

EXAMPLES = [
    b"* OK [CAPABILITY IMAP4rev1 LITERAL-] ready\r\n",
    b"* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $Forwarded)\r\n",
    b"* OK [PERMANENTFLAGS (\\Deleted \\Seen \\*)] Limited\r\n",
    b'* LIST (\\Noselect) "/" ""\r\n',
    b'* LIST () "/" {6}\r\na"b\\cd\r\n',
    b'* LIST (\\NonExistent) "/" "Foo" ("CHILDINFO" ("SUBSCRIBED"))\r\n',
    b"* STATUS blurdybloop (MESSAGES 231 UIDNEXT 44292)\r\n",
    b"* SEARCH\r\n",
    b"* SEARCH 2 3 6\r\n",
    b'* ESEARCH (TAG "a567") UID COUNT 5 ALL 4:19,21,28\r\n',
    b"* 12 FETCH (FLAGS (\\Seen) UID 4827313 BODY[HEADER.FIELDS (DATE FROM)] {4}\r\nab\r\n BODY[]<0> NIL)\r\n",
    b'* 1 FETCH (BODY ("TEXT" "PLAIN" ("CHARSET" "US-ASCII") NIL NIL "7BIT" 3028 92))\r\n',
    b'* 1 FETCH (BODYSTRUCTURE (("TEXT" "PLAIN" NIL NIL NIL "7BIT" 1152 23 NIL NIL NIL NIL)'
    b'("TEXT" "PLAIN" NIL NIL NIL "BASE64" 4554 73 NIL ("attachment" ("filename" "x")) ("en" "fa") "here")'
    b' "MIXED" ("boundary" "b") NIL NIL))\r\n',
    b'* 1 FETCH (BODY ("MESSAGE" "RFC822" NIL NIL NIL "7BIT" 9 (NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)'
    b' ("IMAGE" "GIF" NIL NIL NIL "BASE64" 4) 3))\r\n',
    b'* 1 FETCH (ENVELOPE ("d" "s" ((NIL NIL "a" "b")) NIL NIL ((NIL NIL "g" NIL)(NIL NIL NIL NIL)) NIL NIL NIL "<i>"))\r\n',
    b'* 1 FETCH (INTERNALDATE "17-Jul-1996 02:44:25 -0700" RFC822.SIZE 44827)\r\n',
    b'* NAMESPACE (("" "/")) NIL NIL\r\n',
    b'* QUOTA "" (STORAGE 10 512)\r\n',
    b'* METADATA "" (/shared/comment "a" /shared/admin NIL)\r\n',
    b"a1 OK [COPYUID 38505 304,319:320 3956:3958] Done\r\n",
    b"a1 NO [BADCHARSET (US-ASCII UTF-8)] No\r\n",
    b"+ idling\r\n",
    b"+ \r\n",
]
FORBIDDEN = {
    "no text": b"* OK \r\n",
    "letters beyond ASCII in a text": "* OK سلام\r\n".encode(),
    "a bare line feed": b"* OK yes\n* OK no\r\n",
    "an unknown code": b"* OK [FROBNICATE] yes\r\n",
    "a code without a space behind": b"* OK [ALERT]yes\r\n",
    "an unknown response": b"* FROB 1\r\n",
    "two spaces": b"*  OK yes\r\n",
    "a space at the end": b"* SEARCH 1 \r\n",
    "message number 0": b"* 0 EXPUNGE\r\n",
    "a message found twice": b"* SEARCH 2 2\r\n",
    "a number of 33 bits": b"* 4294967296 EXISTS\r\n",
    "a flag twice": b"* 1 FETCH (FLAGS (\\Seen \\seen))\r\n",
    "an item twice": b"* 1 FETCH (UID 1 UID 1)\r\n",
    "an empty FETCH": b"* 1 FETCH ()\r\n",
    "NUL in a literal": b"* 1 FETCH (BODY[] {1}\r\n\0)\r\n",
    "a wrong escape": b'* LIST () "/" "a\\b"\r\n',
    "sets of different size": b"a OK [COPYUID 1 1:2 3] Done\r\n",
    "an address with three fields": b'* 1 FETCH (ENVELOPE (NIL NIL ((NIL "a" "b")) NIL NIL NIL NIL NIL NIL NIL))\r\n',
    "an empty list of addresses": b"* 1 FETCH (ENVELOPE (NIL NIL () NIL NIL NIL NIL NIL NIL NIL))\r\n",
    "a text part without lines": b'* 1 FETCH (BODY ("TEXT" "PLAIN" NIL NIL NIL "7BIT" 3028))\r\n',
    "parameters that are no pairs": b'* 1 FETCH (BODY ("IMAGE" "GIF" ("a") NIL NIL "7BIT" 3028))\r\n',
    "a date without a zone": b'* 1 FETCH (INTERNALDATE "17-Jul-1996 02:44:25")\r\n',
    "a section that is none": b"* 1 FETCH (BODY[0] NIL)\r\n",
    "an untagged BAD with a tag's name": b"a1 FROB yes\r\n",
    "an unknown attribute": b'* LIST (\\Strange) "/" a\r\n',
    "a superfluous shift": b'* LIST () "/" "&AOk-&AOk-"\r\n',
    "ASCII in a shift": b'* LIST () "/" "&AGE-"\r\n',
}


def read(octets: bytes) -> object:
    pieces = [octets[at : at + 3] for at in range(0, len(octets), 3)] + [b""]
    reader = Reader(lambda: pieces.pop(0))
    response = reader.response()
    assert not reader.has_bytes
    assert pieces == [b""]
    return response


@pytest.mark.parametrize("octets", EXAMPLES)
def test_what_the_standards_show_is_taken(octets: bytes) -> None:
    assert read(octets)


@pytest.mark.parametrize("octets", FORBIDDEN.values(), ids=FORBIDDEN)
def test_what_the_standards_forbid_is_a_violation(octets: bytes) -> None:
    with pytest.raises(Violation):
        read(octets)


@pytest.mark.parametrize("name", ["a", "Tom & Jerry", "پیام‌ها", "😀a😀", "~peter/mail/台北/日本語"])
def test_names_there_and_back(name: str) -> None:
    assert mailbox_name(wire_name(name)[1:-1]) == name
