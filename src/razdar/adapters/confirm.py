# SPDX-License-Identifier: AGPL-3.0-or-later
"""The call-back over HTTPS (ports/confirm.py): one small request, a bounded answer, the pinned certificate where there is one."""

import asyncio
import hashlib
import ssl

import httpx

from razdar.ports.confirm import Place, Unanswered
from razdar.wire.confirm import ANSWER_BYTES_MAX, is_yes, question

PATIENCE_S = 10.0


class HttpsConfirmer:
    """Implements `Confirmer`. Every question has a connection of its own."""

    def __init__(self, patience_s: float = PATIENCE_S) -> None:
        self._patience_s = patience_s
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        # Nobody vouches for an address. Who can answer in its place could also send in its place, and that counts as proof, too.
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        limits = httpx.Limits(max_keepalive_connections=0)
        self._client = httpx.AsyncClient(verify=context, timeout=patience_s, follow_redirects=False, trust_env=False, limits=limits)

    async def ask(self, place: Place, digest: bytes) -> bool:
        host = f"[{place.address}]" if ":" in place.address else place.address
        try:
            async with asyncio.timeout(self._patience_s):
                request = self._client.stream("GET", f"https://{host}:{place.https_port}{question(digest)}")
                async with request as answer:
                    return _is_pinned(answer, place.pin) and is_yes(digest, answer.status_code, await _body(answer))
        except (httpx.HTTPError, httpx.InvalidURL, OSError, TimeoutError) as error:
            raise Unanswered from error

    async def close(self) -> None:
        """No question is asked any more."""
        await self._client.aclose()


def _is_pinned(answer: httpx.Response, pin: str) -> bool:
    if not pin:
        return True
    tls = answer.extensions["network_stream"].get_extra_info("ssl_object")
    certificate = tls.getpeercert(binary_form=True) if tls is not None else None
    return certificate is not None and hashlib.sha256(certificate).hexdigest() == pin


async def _body(answer: httpx.Response) -> bytes:
    """Its beginning; a longer one says nothing we would understand."""
    body = b""
    async for piece in answer.aiter_raw():
        body += piece
        if len(body) > ANSWER_BYTES_MAX:
            break
    return body
