"""Pure decisions: no I/O, no clock, no randomness. Start reading at :mod:`handlers.core.step`."""
