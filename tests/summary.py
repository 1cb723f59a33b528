"""What tests noted for people, said once at the end of a run: figures depend on the machine and are not asserted."""

from __future__ import annotations

USERS = "users"
"""Under this name an end-to-end test notes how many requests its users made, and how they were served."""
