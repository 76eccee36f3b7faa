"""The flow schemas and priority levels of every cluster, as upstream's. They are kept and shown; nothing queues."""

from collections.abc import Iterator

from knarr.kinds.types import flowcontrol_v1 as flow
from knarr.kinds.types.meta_v1 import ObjectMeta

ANNOTATIONS = {"apf.kubernetes.io/autoupdate-spec": "true"}
#: limited levels: shares, percent that may be lent, and queues, hand size and queue length; without queues it rejects
LEVELS: dict[str, tuple[int, int, tuple[int, int, int] | None]] = {
    "catch-all": (5, 0, None),
    "global-default": (20, 50, (128, 6, 50)),
    "leader-election": (10, 0, (16, 4, 50)),
    "node-high": (40, 25, (64, 6, 50)),
    "system": (30, 33, (64, 6, 50)),
    "workload-high": (40, 50, (128, 6, 50)),
    "workload-low": (100, 90, (128, 6, 50)),
}
EVERYBODY = "group:system:unauthenticated group:system:authenticated"
ALL = (("*", "*", "*", "*", True),)
LEASES = ("get create update", "coordination.k8s.io", "leases", "*", False)
ENDPOINTS = ("get create update", "core", "endpoints configmaps", "*", False)
CONTROLLERS = "account:endpoint-controller account:endpointslicemirroring-controller"
Rule = tuple[str, str, str, str, bool]  #: verbs, groups, resources, namespaces, and whether cluster-wide ones count
#: precedence, level, what tells flows apart, subjects, and rules on resources; all of them also means every path
SCHEMAS: dict[str, tuple[int, str, str, str, tuple[Rule, ...]]] = {
    "exempt": (1, "exempt", "", "group:system:masters", ALL),
    "probes": (2, "exempt", "", EVERYBODY, ()),
    "system-leader-election": (
        100,
        "leader-election",
        "ByUser",
        "user:system:kube-controller-manager user:system:kube-scheduler account:*",
        (LEASES,),
    ),
    "endpoint-controller": (
        150,
        "workload-high",
        "ByUser",
        f"user:system:kube-controller-manager {CONTROLLERS}",
        (("get create update", "core", "endpoints", "*", False),),
    ),
    "workload-leader-election": (200, "leader-election", "ByUser", "account:*", (ENDPOINTS, LEASES)),
    "system-node-high": (
        400,
        "node-high",
        "ByUser",
        "group:system:nodes",
        (("*", "core", "nodes nodes/status", "*", True), ("*", "coordination.k8s.io", "leases", "*", False)),
    ),
    "system-nodes": (500, "system", "ByUser", "group:system:nodes", ALL),
    "kube-controller-manager": (800, "workload-high", "ByNamespace", "user:system:kube-controller-manager", ALL),
    "kube-scheduler": (800, "workload-high", "ByNamespace", "user:system:kube-scheduler", ALL),
    "kube-system-service-accounts": (900, "workload-high", "ByNamespace", "account:*", ALL),
    "service-accounts": (9000, "workload-low", "ByUser", "group:system:serviceaccounts", ALL),
    "global-default": (9900, "global-default", "ByUser", EVERYBODY, ALL),
    "catch-all": (10000, "catch-all", "ByUser", EVERYBODY, ALL),
}
PROBES = ["/healthz", "/readyz", "/livez"]


def objects() -> Iterator[flow.PriorityLevelConfiguration | flow.FlowSchema]:
    exempt = flow.ExemptPriorityLevelConfiguration(nominalConcurrencyShares=0, lendablePercent=0)
    yield flow.PriorityLevelConfiguration(
        metadata=ObjectMeta(name="exempt", annotations=ANNOTATIONS),
        spec=flow.PriorityLevelConfigurationSpec(type="Exempt", exempt=exempt),
    )
    for name in LEVELS:
        yield level(name)
    for name in SCHEMAS:
        yield schema(name)


def level(name: str) -> flow.PriorityLevelConfiguration:
    shares, lent, queuing = LEVELS[name]
    response = flow.LimitResponse(type="Reject")
    if queuing is not None:
        queues, hand, length = queuing
        numbers = flow.QueuingConfiguration(queues=queues, handSize=hand, queueLengthLimit=length)
        response = flow.LimitResponse(type="Queue", queuing=numbers)
    limited = flow.LimitedPriorityLevelConfiguration(
        nominalConcurrencyShares=shares, lendablePercent=lent, limitResponse=response
    )
    return flow.PriorityLevelConfiguration(
        metadata=ObjectMeta(name=name, annotations=ANNOTATIONS),
        spec=flow.PriorityLevelConfigurationSpec(type="Limited", limited=limited),
    )


def schema(name: str) -> flow.FlowSchema:
    precedence, to, method, subjects, rules = SCHEMAS[name]
    paths = [flow.NonResourcePolicyRule(verbs=["*"], nonResourceURLs=["*"])] if rules is ALL else []
    if name == "probes":
        paths = [flow.NonResourcePolicyRule(verbs=["get"], nonResourceURLs=PROBES)]
    rule = flow.PolicyRulesWithSubjects(
        subjects=[subject(text) for text in subjects.split()],
        resourceRules=[resources(each) for each in rules],
        nonResourceRules=paths,
    )
    return flow.FlowSchema(
        metadata=ObjectMeta(name=name, annotations=ANNOTATIONS),
        spec=flow.FlowSchemaSpec(
            matchingPrecedence=precedence,
            priorityLevelConfiguration=flow.PriorityLevelConfigurationReference(name=to),
            distinguisherMethod=flow.FlowDistinguisherMethod(type=method) if method else None,
            rules=[rule],
        ),
    )


def subject(text: str) -> flow.Subject:
    """`user:`, `group:` or `account:` (of kube-system) and a name."""
    kind, _, name = text.partition(":")
    if kind == "user":
        return flow.Subject(kind="User", user=flow.UserSubject(name=name))
    if kind == "group":
        return flow.Subject(kind="Group", group=flow.GroupSubject(name=name))
    account = flow.ServiceAccountSubject(name=name, namespace="kube-system")
    return flow.Subject(kind="ServiceAccount", serviceAccount=account)


def resources(rule: Rule) -> flow.ResourcePolicyRule:
    verbs, groups, names, namespaces, cluster = rule
    return flow.ResourcePolicyRule(
        verbs=verbs.split(),
        apiGroups=["" if group == "core" else group for group in groups.split()],
        resources=names.split(),
        namespaces=namespaces.split(),
        clusterScope=cluster or None,
    )
