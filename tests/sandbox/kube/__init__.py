"""The embedded Kubernetes API beyond the contract: faults, pods of a real kubelet, its own process, its speed."""
