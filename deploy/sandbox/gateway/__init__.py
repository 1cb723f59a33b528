"""A stand-in for Gloo's control plane that drives a real Envoy: VirtualServices, RouteTables and Upstreams in, xDS out.

``translate`` is pure, ``envoy`` runs the proxy and feeds it files, ``reporter`` writes the statuses, ``gateway`` is the
loop that joins them. It answers with the pace and the words that a real Gloo was measured to have.
"""
