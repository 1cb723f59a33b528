"""VirtualServices, RouteTables, Upstreams and EndpointSlices -> Envoy's configuration and what to say about each. Pure.

As with Gloo: routes with an unknown upstream are a Warning and go to a cluster that does not exist; a route without
weight is Rejected and stays as it was; a missing RouteTable leaves its VirtualService without
routes (404); an invalid regular expression is passed on, for Envoy to refuse everything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from deploy.sandbox.gateway.actions import RejectedRouteError, action
from deploy.sandbox.gateway.clusters import assignment, cluster, cluster_name
from deploy.sandbox.gateway.delegation import delegates, weight
from deploy.sandbox.gateway.matchers import InvalidRouteError, envoy_match, inherit, required_prefix, specificity
from deploy.sandbox.gateway.options import apply_options
from deploy.sandbox.gateway.snapshot import Origin, Place, Report, Snapshot, Translation
from deploy.sandbox.mirror import Ref
from handlers.adapters.kube import Object
from schemas.resources import ROUTE_TABLE, UPSTREAM, VIRTUAL_SERVICE, Resource

ROUTE_CONFIGURATION = "listener-::-8080-routes"
_ROUTES = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration"


def translate(snapshot: Snapshot, directory: Path, previous: Mapping[Place, list[Object]] | None = None) -> Translation:
    """``directory`` is where Envoy reads the endpoints; ``previous`` the ``good`` routes of the translation before."""
    work = _Work(snapshot, previous or {})
    hosts = work.virtual_hosts()
    clusters, assignments = work.clusters(directory)
    return Translation(
        routes={"@type": _ROUTES, "name": ROUTE_CONFIGURATION, "virtual_hosts": hosts},
        clusters=clusters,
        assignments=assignments,
        reports=work.reports,
        good=work.good,
        ignored=frozenset(work.ignored),
    )


@dataclass(frozen=True)
class _Parent:
    """What a route takes over from the delegating route above it."""

    matcher: Object
    options: Object
    inherit_path: bool = False
    inherit_rest: bool = False


_TOP = _Parent({"prefix": "/"}, {}, inherit_path=True)


@dataclass
class _Work:
    snapshot: Snapshot
    previous: Mapping[Place, list[Object]]
    reports: dict[tuple[Resource, Ref], Report] = field(default_factory=dict)
    good: dict[Place, list[Object]] = field(default_factory=dict)
    ignored: set[str] = field(default_factory=set)

    def virtual_hosts(self) -> list[Object]:
        """One per VirtualService. A domain can be served once only, or Envoy refuses everything: the elder keeps it."""
        hosts: list[Object] = []
        taken: dict[str, Ref] = {}
        for ref, item in sorted(self.snapshot.virtual_services.items(), key=lambda entry: (_age(entry[1]), entry[0])):
            report = self._report(VIRTUAL_SERVICE, ref, item)
            host = (item.get("spec") or {}).get("virtualHost") or {}
            domains = host.get("domains") or ["*"]
            if "sslConfig" in item["spec"]:
                self.ignored.add("VirtualServices with sslConfig: this gateway has no TLS listener")
                continue
            if rivals := {taken[domain] for domain in domains if domain in taken}:
                names = ", ".join(str(rival) for rival in sorted(rivals))
                report.errors.append(f"domain conflict: {names} has one of the domains {domains} already")
                continue
            taken |= dict.fromkeys(domains, ref)
            routes = self._routes(host.get("routes") or [], _TOP, (ref,))
            hosts.append({"name": f"{ref.namespace}_{ref.name}", "domains": domains, "routes": routes})
        return hosts

    def clusters(self, directory: Path) -> tuple[dict[str, Object], dict[str, Object]]:
        clusters: dict[str, Object] = {}
        assignments: dict[str, Object] = {}
        for ref, item in sorted(self.snapshot.upstreams.items()):
            spec = item.get("spec") or {}
            report = self._report(UPSTREAM, ref, item)
            try:
                clusters[cluster_name(ref)] = cluster(ref, spec, directory)
            except ValueError as error:
                report.errors.append(str(error))
                continue
            if "kube" in spec:
                assignments[cluster_name(ref)] = assignment(ref, spec, self.snapshot)
        return clusters, assignments

    def _routes(self, routes: list[Object], parent: _Parent, origin: Origin) -> list[Object]:
        """The Envoy routes of one object; in the place of a rejected one stays what was there before."""
        made: list[Object] = []
        for number, route in enumerate(routes):
            place = (origin, route.get("name") or str(number))
            try:
                self.good[place] = self._route(route, parent, origin)
            except InvalidRouteError as error:
                self._own(origin).warnings.append(str(error))
            except (RejectedRouteError, ValueError) as error:
                self._blame(origin, error=f"Route Error: ProcessingError. Reason: {error}")
                self.good[place] = self.previous.get(place, [])
            made += self.good.get(place, [])
        return made

    def _route(self, route: Object, parent: _Parent, origin: Origin) -> list[Object]:
        below = _below(route, parent)
        inherit_rest = parent.inherit_rest or below.inherit_rest
        matchers = inherit(route, parent.matcher, inherit_path=below.inherit_path, inherit_rest=inherit_rest)
        if "delegateAction" in route:
            return self._delegate(route["delegateAction"] or {}, matchers, below, origin)
        acts, warnings = action(route, self.snapshot.upstreams)
        for warning in warnings:
            self._blame(origin, warning=f"Route Warning: InvalidDestinationWarning. Reason: {warning}")
        made: list[Object] = []
        for matcher in matchers:
            envoy_route = {"match": envoy_match(matcher), **{key: dict(value) for key, value in acts.items()}}
            self.ignored |= {f"route option {name}" for name in apply_options(envoy_route, below.options)}
            made.append(envoy_route)
        return made

    def _delegate(self, asked: Object, matchers: list[Object], below: _Parent, origin: Origin) -> list[Object]:
        matcher = required_prefix(matchers)
        tables, warnings = delegates(asked, origin[-1], self.snapshot.route_tables)
        self._own(origin).warnings.extend(warnings)
        parent = _Parent(matcher, below.options, below.inherit_path, below.inherit_rest)
        made: list[tuple[int, list[Object]]] = []
        for table in tables:
            item = self.snapshot.route_tables[table]
            if table in origin[1:]:
                self._own(origin).errors.append(f"invalid route: delegation cycle detected: {table}")
                continue
            self._report(ROUTE_TABLE, table, item)
            routes = self._routes((item.get("spec") or {}).get("routes") or [], parent, (*origin, table))
            made.append((weight(item), routes))
        return _joined(made)

    def _report(self, resource: Resource, ref: Ref, item: Object) -> Report:
        return self.reports.setdefault((resource, ref), Report(spec=item.get("spec") or {}))

    def _own(self, origin: Origin) -> Report:
        return self.reports[_kind(origin), origin[-1]]

    def _blame(self, origin: Origin, *, error: str = "", warning: str = "") -> None:
        """What is wrong with a route under the proxy is said of every object on its way."""
        for depth in range(1, len(origin) + 1):
            report = self._own(origin[:depth])
            for text, told in ((error, report.proxy_errors), (warning, report.proxy_warnings)):
                if text and text not in told:
                    told.append(text)


def _below(route: Object, parent: _Parent) -> _Parent:
    """The parent's options and inheritance hold where the route says nothing of its own."""
    path = route.get("inheritablePathMatchers")
    rest = route.get("inheritableMatchers")
    return _Parent(
        parent.matcher,
        {**parent.options, **(route.get("options") or {})},
        parent.inherit_path if path is None else bool(path),
        parent.inherit_rest if rest is None else bool(rest),
    )


def _joined(tables: list[tuple[int, list[Object]]]) -> list[Object]:
    """Tables of different weights follow each other; those of the same weight are merged, the most specific first."""
    joined: list[Object] = []
    for rank in sorted({rank for rank, _ in tables}):
        group = [routes for own, routes in tables if own == rank]
        merged = [route for routes in group for route in routes]
        joined += sorted(merged, key=_specific) if len(group) > 1 else merged
    return joined


def _specific(route: Object) -> tuple[int, int]:
    match = route["match"]
    regex = (match.get("safe_regex") or {}).get("regex", "")
    return specificity([{"prefix": match.get("prefix"), "exact": match.get("path"), "regex": regex}])


def _kind(origin: Origin) -> Resource:
    return VIRTUAL_SERVICE if len(origin) == 1 else ROUTE_TABLE


def _age(item: Object) -> str:
    return str(item["metadata"].get("creationTimestamp", ""))
