"""What everybody may do without any role in the cluster.

Upstream writes these as ClusterRoles at start; here they are also built in, so a cluster without any answers already.
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
REVIEWS = {group for rule in EVERYBODY for group in rule.groups}


class BuiltIn:
    """Discovery and self reviews, for everybody who proved an identity."""

    async def allows(self, attributes: Attributes) -> tuple[bool, str]:
        if attributes.resource and attributes.group not in REVIEWS:
            return False, ""
        return AUTHENTICATED in attributes.user.groups and cover(EVERYBODY, attributes), ""
