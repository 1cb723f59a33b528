"""What the sandbox's Kubernetes API promises, checked by the same tests on a real API server.

Default: the embedded API. `CANARYBUS_TEST_CLUSTER=1` with `KUBECONFIG` set: that API server.
"""
