"""What everybody and knarr's own components may do without any role in the cluster.

Upstream writes these as ClusterRoles at start; here they are built in, so an empty cluster starts with no writes.
Whoever wants other rules binds roles: these only add.
"""

from knarr.server.authorization import Attributes
from knarr.server.authorization.rules import Rule, cover
from knarr.server.identity import AUTHENTICATED

DISCOVERY = ("/api", "/api/*", "/apis", "/apis/*", "/openapi", "/openapi/*", "/healthz", "/livez", "/readyz")
EVERYBODY = (
    Rule(("get",), paths=(*DISCOVERY, "/version", "/version/")),
    Rule(("create",), ("authorization.k8s.io",), ("selfsubjectaccessreviews", "selfsubjectrulesreviews")),
    Rule(("create",), ("authentication.k8s.io",), ("selfsubjectreviews",)),
)
COMPONENTS = ("system:kube-controller-manager", "system:kube-scheduler", "system:kube-proxy", "system:kube-dns")


class BuiltIn:
    """Discovery and self reviews for everybody; everything for the control plane's own components."""

    async def allows(self, attributes: Attributes) -> tuple[bool, str]:
        user = attributes.user
        if user.name in COMPONENTS:
            return True, ""
        return AUTHENTICATED in user.groups and cover(EVERYBODY, attributes), ""
