"""Figures, on the real parts. Nothing is asserted: they depend on the machine, so each stands beside its measure."""
