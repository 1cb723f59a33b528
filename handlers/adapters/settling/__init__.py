"""What becomes of a message: one FastStream middleware owns it, from the fetch to the last word.

================================  =========================================================================
the handler returned              ack
it was cancelled, or we stop      nak: another process has it at once
:class:`Undecodable`              dead letter, then term: nobody can ever read it
:class:`PermanentError`           dead letter, then term
:class:`TransientError`           nak, tried again after the delay that it names, else 1, 2, 4 ... 60 s
                                  (of a tick both: ack, the next slot tries again)
anything else is our own fault    logged with its stack, nak with the same delays, dead letter at the tenth time
================================  =========================================================================

Until then a sign of life every three seconds, for messages that still wait for a worker too, so that a message is given
to somebody else only when its process is dead. See design: bus, traps 1, 3 and 4.
"""

from handlers.adapters.settling.middleware import Settling
from handlers.adapters.settling.options import broker_options, subscriber_options
from handlers.adapters.settling.outcome import Outcome, growing_delay, outcome_of

__all__ = ["Outcome", "Settling", "broker_options", "growing_delay", "outcome_of", "subscriber_options"]
