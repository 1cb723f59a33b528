"""A Kubernetes API in one process, for the sandbox and for tests.

Reading order: `store` (objects, versions, who watches), `cluster` (the rules of a write), `server` (HTTP),
`controllers` (what makes Deployments roll out). Contract tests run the same checks against a real API server.
"""

from .embedded import EmbeddedKubernetes

__all__ = ["EmbeddedKubernetes"]
