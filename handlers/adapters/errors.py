"""Everything that an outside system can answer instead of what we asked for.

::

    AdapterError
    ├── TransientError(delay)        try again later: nothing is wrong with the request
    │   ├── Unavailable              no connection, timeout, 5xx
    │   ├── Throttled                429: the server says when
    │   └── Conflict                 409: somebody else wrote first; read again, decide again
    └── PermanentError               the same request will fail again
        ├── NotFound                 404
        ├── Unserved                 404 on create: there is no such kind, or no such namespace
        ├── AlreadyExists            409 on create
        ├── Gone                     410: that resource version is history; list again
        ├── Forbidden                401, 403: RBAC
        ├── Invalid                  400, 422 and other 4xx: the server refuses the object
        └── Undecodable              a message that cannot be read

The two middle classes choose what happens to a message (design: settling): transient ones are tried again, permanent
ones end on the dead-letter subject. Code that can do something better catches the leaf.
"""

# ruff: noqa: N818 - named as HTTP and Kubernetes name them; the base classes say Error

from __future__ import annotations


class AdapterError(Exception):
    """An outside system did not do what it was asked; the text says which system and what it answered."""


class TransientError(AdapterError):
    """Trying again may help; ``delay`` is the wait in seconds that the other side asked for, if it did."""

    def __init__(self, message: str, delay: float | None = None) -> None:
        super().__init__(message)
        self.delay = delay


class PermanentError(AdapterError):
    """Trying again will not help."""


class Unavailable(TransientError):
    """No connection, no answer in time, or a 5xx."""


class Throttled(TransientError):
    """429; ``delay`` carries Retry-After when it was sent."""


class Conflict(TransientError):
    """409: the object has moved on since it was read."""


class NotFound(PermanentError):
    """404."""


class Unserved(PermanentError):
    """404 on create; the text ends with what to install where that is the reason."""


class AlreadyExists(PermanentError):
    """409 with reason AlreadyExists."""


class Gone(PermanentError):
    """410: the resource version asked for is compacted away."""


class Forbidden(PermanentError):
    """401 or 403."""


class Invalid(PermanentError):
    """The server refuses the content; its own words are in the text."""


class Undecodable(PermanentError):
    """A message on the bus that is not what its subject promises; the text says what is wrong with it."""
