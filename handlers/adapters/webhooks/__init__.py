"""Webhooks: gates, load tests, rollback signals and events, asked as the peer does (spec lifecycle 2.8).

Over HTTP, or with a url ``nats://subject`` as a request on the bus with the same payload.
"""

from handlers.adapters.webhooks.asking import PATIENCE, Webhooks
from handlers.adapters.webhooks.payload import payload_of

__all__ = ["PATIENCE", "Webhooks", "payload_of"]
