"""The schema of the old versions' types: what stands in `types/schema.json`, with what these say otherwise.

A type is described by one that it is like, the fields that it has in other form, and those that it lacks. What both
say in one way is not said again: an old Deployment's template is core/v1's.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from knarr.kinds.old.autoscaler import READINGS, SOURCES
from knarr.kinds.old.table import OLD
from knarr.kinds.schema import type_name

Entry = dict[str, Any]

SELECTOR: Entry = {"type": "meta_v1.LabelSelector"}  #: optional; required since apps/v1beta2
INGRESS = "networking_v1beta1"


@dataclass(frozen=True, slots=True)
class Shape:
    """A type that differs from `like`: in these fields, and by lacking those."""

    like: str
    fields: Mapping[str, Entry] = field(default_factory=dict)
    without: tuple[str, ...] = ()
    whole: bool = False  #: an object of its own, with a kind


def selecting(like: str, **fields: Entry) -> Shape:
    """A spec whose selector may be left out, and merges by field."""
    return Shape(like, {"selector": SELECTOR, **fields})


def scaling(module: str) -> dict[str, Shape]:
    status: dict[str, Entry] = {
        "selector": {"type": "{}str", "map": "atomic"},
        "targetSelector": {"type": "str", "number": 3},
    }
    return {
        f"{module}.Scale": Shape("autoscaling_v1.Scale", {"status": {"type": f"{module}.ScaleStatus"}}, whole=True),
        f"{module}.ScaleStatus": Shape("autoscaling_v1.ScaleStatus", status),
    }


def autoscaling(module: str = "autoscaling_v2beta1") -> dict[str, Shape]:
    """The metrics of an autoscaler, whose fields have their numbers by their order."""
    newest, found = "autoscaling_v2", {}
    for suffix, sources in (("Source", SOURCES), ("Status", READINGS)):
        owner, entries = f"Metric{'Spec' if suffix == 'Source' else suffix}", {}
        for source, names in sources.items():
            type_ = f"{source[0].upper()}{source[1:]}Metric{suffix}"
            entries[source] = {"type": f"{module}.{type_}"}
            fields = {name: {**value_of(name), "number": number} for number, name in enumerate(names, 1)}
            found[f"{module}.{type_}"] = Shape("", fields)
        found[f"{module}.{owner}"] = Shape(f"{newest}.{owner}", entries)
    for part, key, owner in (("Spec", "metrics", "MetricSpec"), ("Status", "currentMetrics", "MetricStatus")):
        listed = {"type": f"[]{module}.{owner}", "list": "atomic"}
        without = ("behavior",) if part == "Spec" else ()
        like = f"HorizontalPodAutoscaler{part}"
        found[f"{module}.{like}"] = Shape(f"{newest}.{like}", {key: listed}, without)
    return found


def value_of(name: str) -> Entry:
    """The type of an autoscaler's number, by the name of its field."""
    if name.endswith("Utilization"):
        return {"type": "int", "format": "int32"}
    if name.endswith("Value"):
        return {"type": "Quantity"}
    if name == "target":
        return {"type": "autoscaling_v2.CrossVersionObjectReference", "required": True}
    return {"type": "meta_v1.LabelSelector"} if name.endswith("elector") else {"type": "str", "required": True}


def deploying(module: str) -> dict[str, Shape]:
    rollback = {"type": f"{module}.RollbackConfig", "number": 8}
    asked: dict[str, Entry] = {
        "apiVersion": {"type": "str"},
        "kind": {"type": "str"},
        "name": {"type": "str", "required": True, "number": 1},
        "updatedAnnotations": {"type": "{}str", "number": 2},
        "rollbackTo": {"type": f"{module}.RollbackConfig", "required": True, "number": 3},
    }
    return {
        f"{module}.DeploymentRollback": Shape("", asked, whole=True),
        f"{module}.DeploymentSpec": selecting("apps_v1.DeploymentSpec", rollbackTo=rollback),
        f"{module}.RollbackConfig": Shape("", {"revision": {"type": "int", "format": "int64", "number": 1}}),
    }


SHAPES: dict[str, Shape] = {
    **autoscaling(),
    **scaling("apps_v1beta1"),
    **scaling("apps_v1beta2"),
    **scaling("extensions_v1beta1"),
    **deploying("apps_v1beta1"),
    **deploying("extensions_v1beta1"),
    "apps_v1beta1.StatefulSetSpec": selecting("apps_v1.StatefulSetSpec"),
    "extensions_v1beta1.ReplicaSetSpec": selecting("apps_v1.ReplicaSetSpec"),
    "extensions_v1beta1.DaemonSetSpec": selecting(
        "apps_v1.DaemonSetSpec", templateGeneration={"type": "int", "format": "int64", "number": 5}
    ),
    "discovery_v1beta1.Endpoint": Shape(
        "discovery_v1.Endpoint",
        {"topology": {"type": "{}str", "number": 5}, "hints": {"type": "discovery_v1.EndpointHints", "number": 7}},
        without=("deprecatedTopology", "zone"),
    ),
    "policy_v1beta1.PodDisruptionBudgetSpec": selecting("policy_v1.PodDisruptionBudgetSpec"),  # merged, not replaced
    f"{INGRESS}.IngressSpec": Shape(
        "networking_v1.IngressSpec",
        {
            "backend": {"type": f"{INGRESS}.IngressBackend", "number": 1},
            "rules": {"type": f"[]{INGRESS}.IngressRule", "list": "atomic", "number": 3},
        },
        without=("defaultBackend",),
    ),
    f"{INGRESS}.IngressRule": Shape("networking_v1.IngressRule", {"http": {"type": f"{INGRESS}.HTTPIngressRuleValue"}}),
    f"{INGRESS}.HTTPIngressRuleValue": Shape(
        "networking_v1.HTTPIngressRuleValue",
        {"paths": {"type": f"[]{INGRESS}.HTTPIngressPath", "list": "atomic", "required": True, "number": 1}},
    ),
    f"{INGRESS}.HTTPIngressPath": Shape(
        "networking_v1.HTTPIngressPath",
        {
            "backend": {"type": f"{INGRESS}.IngressBackend", "required": True, "number": 2},
            "pathType": {"type": "str", "number": 3},
        },
    ),
    f"{INGRESS}.IngressBackend": Shape(
        "networking_v1.IngressBackend",
        {
            "serviceName": {"type": "str", "number": 1},
            "servicePort": {"type": "IntOrString", "number": 2},
            "resource": {"type": "core_v1.TypedLocalObjectReference", "number": 3},
        },
        without=("service",),
    ),
}
#: specs that are not their own version's
SPECS = {"extensions_v1beta1.Ingress": f"{INGRESS}.IngressSpec"}
#: parts of others than spec and status that are their own version's
PARTS = {"discovery_v1beta1.EndpointSlice": ("endpoints", "[]discovery_v1beta1.Endpoint")}


def added(types: Mapping[str, Entry]) -> dict[str, Entry]:
    """The entries of all old types, by name."""
    found = {name: entry_of(name, shape, types) for name, shape in SHAPES.items()}
    for old in OLD:
        like = type_name(old.kind.type)
        spec = SPECS.get(old.schema, f"{old.schema}Spec")
        fields = {"spec": {**types[like]["fields"]["spec"], "type": spec}} if spec in SHAPES else {}
        if (status := f"{old.schema}Status") in SHAPES:
            fields["status"] = {**types[like]["fields"]["status"], "type": status}
        if old.schema in PARTS:
            key, type_ = PARTS[old.schema]
            fields[key] = {**types[like]["fields"][key], "type": type_}
        entry = entry_of(old.schema, Shape(like, fields), types)
        entry["fields"]["apiVersion"] = {**entry["fields"]["apiVersion"], "enum": [old.api_version]}
        entry["gvk"] = [{"group": old.group, "kind": old.kind.kind, "version": old.version}]
        found[old.schema] = entry
    return found


def entry_of(name: str, shape: Shape, types: Mapping[str, Entry]) -> Entry:
    module, _, short = name.partition(".")
    group, _, version = module.partition("_")
    base: Entry = types.get(shape.like, {"fields": {}})
    kept = {key: value for key, value in base["fields"].items() if key not in shape.without}
    changed = {key: numbered(value, base["fields"].get(key, {})) for key, value in shape.fields.items()}
    fields = dict(sorted({**kept, **changed}.items()))
    rest = {key: value for key, value in base.items() if key not in ("fields", "gvk")}
    own = {"gvk": [{"group": group, "kind": short, "version": version}]} if shape.whole else {}
    definition = f"io.k8s.api.{group}.{version}.{short}"
    return {**rest, **own, "definition": definition, "fields": fields, "like": shape.like}


def numbered(value: Entry, before: Entry) -> Entry:
    """A field's entry with the number that the field has in the type it is like."""
    return {"number": before["number"], **value} if "number" in before else value
