"""Kinds that are kept and shown and little more: what they refuse, and how they print."""

from datetime import UTC, datetime

import pytest

NOW = datetime(2026, 1, 2, tzinfo=UTC)
BORN = "2026-01-01T23:55:58Z"  # 4m2s ago


def bare(kind, group, /, name="x", **fields):
    metadata = {"name": name, "creationTimestamp": BORN}
    return {"apiVersion": f"{group}.k8s.io/v1", "kind": kind, "metadata": metadata, **fields}


def spec(kind, group, /, metadata_name="x", **fields):
    return bare(kind, group, metadata_name, spec=fields)


def api(metadata_name="v1.g.example", **fields):
    given = {"group": "g.example", "version": "v1", "groupPriorityMinimum": 100, "versionPriority": 10, **fields}
    return spec("APIService", "apiregistration", metadata_name, **given)


def policy(kind="ValidatingAdmissionPolicy", **fields):
    match = {"resourceRules": [{"apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"], "operations": ["*"]}]}
    return spec(kind, "admissionregistration", matchConstraints=match, **fields)


def flow(metadata_name="x", **fields):
    rule = {"subjects": [{"kind": "User", "user": {"name": "u"}}], "nonResourceRules": [{"verbs": ["*"]}]}
    given = {"priorityLevelConfiguration": {"name": "p"}, "rules": [rule], **fields}
    return spec("FlowSchema", "flowcontrol.apiserver", metadata_name, **given)


def level(**fields):
    return spec("PriorityLevelConfiguration", "flowcontrol.apiserver", **fields)


def cidrs(*given):
    return spec("ServiceCIDR", "networking", cidrs=list(given))


def address(name="10.1.1.1", **parent):
    return spec("IPAddress", "networking", name, parentRef={"resource": "services", "name": "s", **parent})


def definition(*schemas):
    versions = [
        {"name": f"v{n}", "served": True, "storage": n == 1, "schema": {"openAPIV3Schema": schema}}
        for n, schema in enumerate(schemas, 1)
    ]
    given = {"group": "g.example", "scope": "Cluster", "names": {"plural": "foos", "kind": "Foo"}, "versions": versions}
    return spec("CustomResourceDefinition", "apiextensions", "foos.g.example", **given)


def holding(schema):
    return {"type": "object", "properties": {"a": schema}}


ONLY = "spec.validation.openAPIV3Schema"
LIST = {"type": "array"}
VAC = bare("VolumeAttributesClass", "storage", driverName="d.example", parameters={"iops": "1"})
BEHIND = {"name": "s", "namespace": "n"}
COMPLAINTS = {
    "an API service is named by its version and group": (
        api("x"),
        ['metadata.name: Invalid value: "x": must be `spec.version+"."+spec.group`: "v1.g.example"'],
    ),
    "only v1 has an empty group": (
        api("v2.", group="", version="v2"),
        ["spec.group: Required value: only v1 may have an empty group and it better be legacy kube"],
    ),
    "priorities of API services have bounds": (
        api(groupPriorityMinimum=20001, versionPriority=0),
        [
            "spec.groupPriorityMinimum: Invalid value: 20001: must be positive and less than 20000",
            "spec.versionPriority: Invalid value: 0: must be positive and less than 1000",
        ],
    ),
    "a local API service has no authority": (
        api(insecureSkipTLSVerify=True),
        ["spec.insecureSkipTLSVerify: Invalid value: true: local APIServices may not have insecureSkipTLSVerify"],
    ),
    "an API service elsewhere is named in full": (
        api(service={"name": "s"}),
        ["spec.service.namespace: Required value"],
    ),
    "a class of attributes has some": (
        bare("VolumeAttributesClass", "storage", driverName="d.example"),
        ["parameters: Required value: must contain at least one key/value pair"],
    ),
    "a range of services is there": (cidrs(), ["spec.cidrs: Required value: at least one CIDR required"]),
    "ranges of services are of two families": (
        cidrs("10.0.0.0/8", "11.0.0.0/8"),
        [
            'spec.cidrs: Invalid value: ["10.0.0.0/8","11.0.0.0/8"]: may specify no more than one IP for each '
            "IP family, i.e 192.168.0.0/24 and 2001:db8::/64"
        ],
    ),
    "an address is one": (
        address("x"),
        ['metadata.name: Invalid value: "x": must be a valid IP address'],
    ),
    "an address is written in one way": (
        address("2001:db8:0::1"),
        ['metadata.name: Invalid value: "2001:db8:0::1": must be a valid IP address in canonical form'],
    ),
    "only one flow schema comes first": (
        flow(matchingPrecedence=1),
        ["spec.matchingPrecedence: Invalid value: 1: only the schema named 'exempt' may have matchingPrecedence 1"],
    ),
    "a flow schema leads somewhere": (
        flow(priorityLevelConfiguration={"name": ""}),
        ["spec.priorityLevelConfiguration.name: Required value: must reference a priority level"],
    ),
    "a limited level says how": (
        level(type="Limited"),
        ["spec.limited: Required value: must not be empty when type is Limited"],
    ),
    "a level's type is known": (
        level(type="X"),
        ['spec.type: Unsupported value: "X": supported values: "Exempt", "Limited"'],
    ),
    "a policy matches something": (
        spec("ValidatingAdmissionPolicy", "admissionregistration", validations=[{"expression": "true"}]),
        ["spec.matchConstraints: Required value"],
    ),
    "a binding names a policy and what to do": (
        spec("ValidatingAdmissionPolicyBinding", "admissionregistration"),
        [
            "spec.policyName: Required value",
            "spec.validationActions: Required value: at least one validation action is required",
        ],
    ),
    "a schema has a type": (definition({}), [f"{ONLY}.type: Required value: must not be empty at the root"]),
    "a schema is of an object": (
        definition({"type": "string"}),
        [f'{ONLY}.type: Invalid value: "string": must be object at the root'],
    ),
    "a list says of what": (
        definition(holding(LIST)),
        [f"{ONLY}.properties[a].items: Required value: must be specified"],
    ),
    "a schema that two versions share is told of once": (
        definition(holding(LIST), holding(LIST)),
        [f"{ONLY}.properties[a].items: Required value: must be specified"],
    ),
    "versions that differ are told apart": (
        definition(holding({"type": "string"}), holding(LIST)),
        ["spec.versions[1].schema.openAPIV3Schema.properties[a].items: Required value: must be specified"],
    ),
    "a field has a type": (
        definition(holding({})),
        [f"{ONLY}.properties[a].type: Required value: must not be empty for specified object fields"],
    ),
    "a list's items have a type": (
        definition(holding({"type": "array", "items": {}})),
        [f"{ONLY}.properties[a].items.type: Required value: must not be empty for specified array items"],
    ),
    "a field that may be anything needs no type": (
        definition(holding({"x-kubernetes-preserve-unknown-fields": True})),
        [],
    ),
    "a map has no named fields": (
        definition({**holding({"type": "string"}), "additionalProperties": {"type": "string"}}),
        [f"{ONLY}.additionalProperties: Forbidden: additionalProperties and properties are mutual exclusive"],
    ),
    "what is not structural is not supported": (
        definition(holding({"type": "object", "$ref": "#/x", "uniqueItems": True})),
        [
            f"{ONLY}.properties[a].$ref: Forbidden: $ref is not supported",
            f"{ONLY}.properties[a].uniqueItems: Forbidden: uniqueItems cannot be set to true since the runtime "
            "complexity becomes quadratic",
        ],
    ),
    "a good API service": (api(), []),
    "a good flow schema": (flow(), []),
    "a good policy": (policy(validations=[{"expression": "true"}]), []),
    "a good address": (address(), []),
}


@pytest.mark.parametrize("body, findings", COMPLAINTS.values(), ids=COMPLAINTS)
def test_complaints(created, body, findings):
    assert [finding.rstrip() for finding in created(body)[1]] == findings


IMMUTABLE = {
    "a class's parameters": (
        VAC,
        {**VAC, "parameters": {"iops": "2"}},
        ["parameters: Forbidden: updates to parameters are forbidden."],
    ),
    "a range of services": (
        cidrs("10.0.0.0/8"),
        cidrs("11.0.0.0/8"),
        ['spec.cidrs: Invalid value: ["11.0.0.0/8"]: field is immutable'],
    ),
}


@pytest.mark.parametrize("before, after, findings", IMMUTABLE.values(), ids=IMMUTABLE)
def test_what_does_not_change(updated, before, after, findings):
    assert [finding.rstrip() for finding in updated(before, after)[1]] == findings


def test_a_local_api_service_is_available_at_once(created):
    [condition] = created(api())[0]["status"]["conditions"]
    assert (condition["type"], condition["status"], condition["reason"]) == ("Available", "True", "Local")


def test_an_api_service_elsewhere_is_not_known_to_be_available(created):
    assert created(api(service=BEHIND))[0]["status"] == {}


MISSING = {"status": {"conditions": [{"type": "Available", "status": "False", "reason": "MissingEndpoints"}]}}
QUEUING = {"limitResponse": {"type": "Queue", "queuing": {}}}
ROWS = {
    "a local API service": (api(), ["v1.g.example", "Local", "Unknown", "4m2s"]),
    "an API service elsewhere": (
        {**api(service=BEHIND), **MISSING},
        ["v1.g.example", "n/s", "False (MissingEndpoints)", "4m2s"],
    ),
    "a class of attributes": (VAC, ["x", "d.example", "4m2s"]),
    "a range of services": (cidrs("10.0.0.0/8", "fd00::/8"), ["x", "10.0.0.0/8,fd00::/8", "4m2s"]),
    "an address": (address(namespace="n"), ["10.1.1.1", "services/n/s", "4m2s"]),
    "a flow schema": (flow(), ["x", "p", 1000, "<none>", "4m2s", "?"]),
    "an exempt level": (level(type="Exempt"), ["x", "Exempt", "<none>", "<none>", "<none>", "<none>", "4m2s"]),
    "a level with queues": (level(type="Limited", limited=QUEUING), ["x", "Limited", 30, 64, 8, 50, "4m2s"]),
    "a policy": (
        policy(paramKind={"apiVersion": "v1", "kind": "ConfigMap"}, validations=[{"expression": "true"}]),
        ["x", 1, "v1/ConfigMap", "4m2s"],
    ),
    "a binding": (
        spec("MutatingAdmissionPolicyBinding", "admissionregistration", policyName="p", paramRef={"name": "c"}),
        ["x", "p", "*/c", "4m2s"],
    ),
    "a claim to devices": (spec("ResourceClaim", "resource"), ["x", "pending", "4m2s"]),
    "a slice of devices": (
        spec("ResourceSlice", "resource", nodeName="n", driver="d", pool={"name": "p"}),
        ["x", "n", "d", "p", "4m2s"],
    ),
}


@pytest.mark.parametrize("body, cells", ROWS.values(), ids=ROWS)
def test_rows(row, body, cells):
    assert row(body, NOW) == cells
