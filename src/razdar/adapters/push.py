# SPDX-License-Identifier: AGPL-3.0-or-later
"""Wake-ups over HTTPS, as the official apps expect them (docs/interop.md)."""

import httpx

from razdar.ports.push import PushOutcome

TIMEOUT_S = 20.0


class HttpPushGate:
    """`ports.push.PushGate` with one HTTP connection pool."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._client = httpx.AsyncClient(timeout=TIMEOUT_S, follow_redirects=False, trust_env=False)

    async def notify(self, token: bytes) -> PushOutcome:
        try:
            async with self._client.stream("POST", self._url, content=token) as answer:
                pass  # only the status is of interest; a body, however long, is not read
        except (httpx.HTTPError, httpx.InvalidURL, OSError):
            return PushOutcome.FAILED
        if answer.status_code == httpx.codes.OK:
            return PushOutcome.DELIVERED
        return PushOutcome.FORGOTTEN if answer.status_code == httpx.codes.GONE else PushOutcome.FAILED

    async def close(self) -> None:
        """Connections are closed."""
        await self._client.aclose()
