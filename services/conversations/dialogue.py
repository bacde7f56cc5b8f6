"""The client of the dialogue layer: one call per turn to Rasa's own channel (docs/architecture.md)."""

from typing import Any, Protocol

import httpx

PAYLOADS_LIMIT = 20


class DialogueUnavailable(Exception):
    """Rasa cannot be reached, or does not answer in time or in form."""


class Dialogue(Protocol):
    async def turn(self, conversation_id: str, text: str, metadata: dict[str, Any]) -> list[dict[str, Any]]:
        """What the dialogue decided, as payloads. Raises DialogueUnavailable."""
        ...


class RasaDialogue:
    """Speaks to a Rasa server at `url`; `timeout` seconds bound a whole turn, its actions included."""

    def __init__(self, url: str, token: str, timeout: float) -> None:
        self._client = httpx.AsyncClient(
            base_url=url,
            headers={"authorization": f"Bearer {token}"},
            timeout=httpx.Timeout(timeout, connect=2.0),
            limits=httpx.Limits(max_connections=100, max_keepalive_connections=50),
        )

    async def turn(self, conversation_id: str, text: str, metadata: dict[str, Any]) -> list[dict[str, Any]]:
        body = {"sender": conversation_id, "message": text, "metadata": metadata}
        try:
            response = await self._client.post("/webhooks/huiying/webhook", json=body)
            response.raise_for_status()
            payloads = response.json()["messages"]
        except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
            raise DialogueUnavailable(type(error).__name__) from None
        if not isinstance(payloads, list) or not all(isinstance(payload, dict) for payload in payloads):
            raise DialogueUnavailable("malformed answer")
        return payloads[:PAYLOADS_LIMIT]

    async def close(self) -> None:
        await self._client.aclose()
