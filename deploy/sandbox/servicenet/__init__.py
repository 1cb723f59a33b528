"""Cluster DNS and kube-proxy in one, for processes without a cluster network: an HTTP proxy that knows Services.

Whoever honours ``http_proxy`` (curl, httpx, Go programs) reaches ``podinfo-canary:9898`` by its name. The user name of
the proxy's URL is the namespace that short names belong to.
"""
