"""What the relay tells every client that asks for server annotations (RFC 5464 section 6.2, WIRE facts of the Delta Chat core)."""

from collections.abc import Mapping

from razdar.settings import Settings

_DELTA_CHAT = "/shared/vendor/deltachat/"


def server_metadata(settings: Settings) -> Mapping[str, str]:
    """Entry name in lower case → value; an entry that is not configured is missing (GETMETADATA answers NIL)."""
    entries = {
        "/shared/comment": settings.operator,
        "/shared/admin": settings.contact,
        _DELTA_CHAT + "maxsmtprecipients": str(settings.recipients),
        _DELTA_CHAT + "turn": settings.turn,
        _DELTA_CHAT + "irohrelay": settings.iroh_relay,
    }
    return {name: value for name, value in entries.items() if value}
