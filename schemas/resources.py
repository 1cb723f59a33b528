"""The Kubernetes resources that we touch: their group, version, plural and path in one place."""

from __future__ import annotations

from dataclasses import dataclass

MANAGER = "canarybus-handlers"
"""How the API server calls the handlers in ``metadata.managedFields``: their user agent up to the slash."""


@dataclass(frozen=True)
class Resource:
    """A kind as the API server addresses it. ``group`` is empty for the core group."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str | None = None, name: str | None = None, subresource: str | None = None) -> str:
        """URL path of the collection (no ``name``), an object or its subresource; no namespace means all of them."""
        parts = ["/apis", self.group, self.version] if self.group else ["/api", self.version]
        if self.namespaced and namespace:
            parts += ["namespaces", namespace]
        parts.append(self.plural)
        parts += [part for part in (name, subresource) if part]
        return "/".join(parts)


CANARY = Resource("flagger.app", "v1beta1", "canaries", "Canary")
METRIC_TEMPLATE = Resource("flagger.app", "v1beta1", "metrictemplates", "MetricTemplate")
ALERT_PROVIDER = Resource("flagger.app", "v1beta1", "alertproviders", "AlertProvider")
ROUTE_TABLE = Resource("gateway.solo.io", "v1", "routetables", "RouteTable")
VIRTUAL_SERVICE = Resource("gateway.solo.io", "v1", "virtualservices", "VirtualService")
UPSTREAM = Resource("gloo.solo.io", "v1", "upstreams", "Upstream")
DEPLOYMENT = Resource("apps", "v1", "deployments", "Deployment")
DAEMON_SET = Resource("apps", "v1", "daemonsets", "DaemonSet")
REPLICA_SET = Resource("apps", "v1", "replicasets", "ReplicaSet")
CONTROLLER_REVISION = Resource("apps", "v1", "controllerrevisions", "ControllerRevision")
HORIZONTAL_POD_AUTOSCALER = Resource("autoscaling", "v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler")
SCALED_OBJECT = Resource("keda.sh", "v1alpha1", "scaledobjects", "ScaledObject")
SERVICE = Resource("", "v1", "services", "Service")
CONFIG_MAP = Resource("", "v1", "configmaps", "ConfigMap")
SECRET = Resource("", "v1", "secrets", "Secret")
POD = Resource("", "v1", "pods", "Pod")
NODE = Resource("", "v1", "nodes", "Node", namespaced=False)
NAMESPACE = Resource("", "v1", "namespaces", "Namespace", namespaced=False)
EVENT = Resource("", "v1", "events", "Event")
ENDPOINT_SLICE = Resource("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice")
CUSTOM_RESOURCE_DEFINITION = Resource(
    "apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition", namespaced=False
)

TARGETS = {resource.kind: resource for resource in (DEPLOYMENT, DAEMON_SET, SERVICE)}
SCALERS = {resource.kind: resource for resource in (HORIZONTAL_POD_AUTOSCALER, SCALED_OBJECT)}
