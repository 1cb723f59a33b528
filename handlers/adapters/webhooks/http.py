"""One POST to a hook."""

from __future__ import annotations

import asyncio
import ssl

import httpx

from handlers.adapters.http_answer import beginning, retry_after
from handlers.adapters.shown import shown
from handlers.adapters.webhooks.attempt import Attempt
from schemas.canary import Webhook


class Http:
    """Posts through ``client``, which stays the caller's to close; environment proxies are the client's."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client
        self._unverified: httpx.AsyncClient | None = None

    async def close(self) -> None:
        if self._unverified:
            await self._unverified.aclose()

    async def post(self, hook: Webhook, payload: bytes, seconds: float) -> Attempt:
        """Within ``seconds``, redirects and the reading of the answer included. Never raises."""
        client = self._without_verification() if hook.disable_tls else self._client
        headers = {"Content-Type": "application/json"}
        try:
            async with (
                asyncio.timeout(seconds),
                client.stream(
                    "POST", hook.url, content=payload, headers=headers, timeout=seconds, follow_redirects=True
                ) as response,
            ):
                text = await _text(response)
        except (TimeoutError, httpx.TimeoutException):
            return Attempt.unanswered(f"no answer within {seconds:g}s")
        except httpx.InvalidURL:
            # the library's words have a part of it, which may be the password's
            return Attempt.unanswered(f"POST {hook.shown_url}: no valid address", final=True)
        except (httpx.UnsupportedProtocol, httpx.TooManyRedirects) as error:
            return Attempt.unanswered(f"POST {hook.url}: {error}", final=True)
        except (httpx.HTTPError, OSError, ValueError) as error:
            return Attempt.unanswered(str(error) or type(error).__name__, final=_is_unverified(error))
        except Exception as error:
            # of a port that cannot be the library raises a group: whatever it is, people are told that nobody was asked
            return Attempt.unanswered(f"POST {hook.shown_url}: {type(error).__name__}", final=True)
        text = text or f"{response.status_code} {response.reason_phrase}".rstrip()
        wait = retry_after(response.headers.get("retry-after", ""))
        return Attempt(response.is_success, text, response.status_code, retry_after=wait)

    def _without_verification(self) -> httpx.AsyncClient:
        if self._unverified is None:
            self._unverified = httpx.AsyncClient(verify=False)  # noqa: S501 - the user asked for it: disableTLS
        return self._unverified


async def _text(response: httpx.Response) -> str:
    """What people are shown. An answer that passes by its status passes with a body that nobody can read as well."""
    try:
        body = await beginning(response)
    except httpx.DecodingError:
        if not response.is_success:
            raise
        return ""
    try:
        return shown(body.decode(response.charset_encoding or "utf-8", errors="replace"))
    except LookupError:
        return shown(body.decode(errors="replace"))


def _is_unverified(error: BaseException | None) -> bool:
    """A certificate that is not trusted will not be a second later, either."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False
