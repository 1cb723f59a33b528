"""The Kubernetes API: plain JSON over aiohttp; the `kubernetes` package finds and refreshes the credentials.

Objects are plain dictionaries as the API returns them; ``schemas`` turns them into values where that helps.
Every failure is one of :mod:`handlers.adapters.errors`.
"""

from handlers.adapters.kube.access import Access
from handlers.adapters.kube.client import Kube, Object, PatchType, WatchEvent
from handlers.adapters.kube.find import find_access

__all__ = ["Access", "Kube", "Object", "PatchType", "WatchEvent", "find_access"]
