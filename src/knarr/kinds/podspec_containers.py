"""Rules of the containers of a pod: regular ones, those that run before and beside them, and those added later."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from knarr.kinds import rules
from knarr.kinds.podspec_env import environment
from knarr.kinds.podspec_mounts import Volumes, devices, mounts
from knarr.kinds.podspec_probes import checks, no_checks
from knarr.kinds.podspec_security import container_security
from knarr.kinds.resources import requirements
from knarr.kinds.types.core_v1 import Container, ContainerPort, ContainerRestartRule, EphemeralContainer, PodSpec
from knarr.meta import field
from knarr.meta.field import FieldError

PULL_POLICIES = ("Always", "IfNotPresent", "Never")
MESSAGE_POLICIES = ("File", "FallbackToLogsOnError")
RESTART_POLICIES = ("Always", "Never", "OnFailure")
RESIZE_POLICIES = ("NotRequired", "RestartContainer")
MOST_RULES = 20
MOST_EXIT_CODES = 255

NOT_EPHEMERAL = (
    "ports",
    "resources",
    "resizePolicy",
    "restartPolicy",
    "restartPolicyRules",
    "livenessProbe",
    "readinessProbe",
    "startupProbe",
    "lifecycle",
)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a container's rules look at outside of it."""

    spec: PodSpec
    volumes: Volumes

    @property
    def grace(self) -> int | None:
        return self.spec.terminationGracePeriodSeconds

    @property
    def claims(self) -> set[str]:
        return {claim.name for claim in self.spec.resourceClaims if claim.name}


def containers(given: Sequence[Container], around: Surroundings, path: str) -> Iterator[FieldError]:
    """What the regular containers break."""
    if not given:
        yield field.required(path)
    seen: set[str] = set()
    for index, container in enumerate(given):
        where = f"{path}[{index}]"
        yield from common(container, around, where)
        if container.name in seen:
            yield field.duplicate(f"{where}.name", container.name)
        seen.add(container.name)
        yield from checks(container, around.grace, where)
        yield from restart(container, where)
    yield from host_port_conflicts(enumerate(given), path)


def init_containers(given: Sequence[Container], around: Surroundings, path: str) -> Iterator[FieldError]:
    """What the containers break that run before the others, or beside them when they always restart."""
    seen = {container.name for container in around.spec.containers}
    for index, container in enumerate(given):
        where = f"{path}[{index}]"
        yield from common(container, around, where)
        yield from restart(container, where)
        if container.name in seen:
            yield field.duplicate(f"{where}.name", container.name)
        elif container.name:
            seen.add(container.name)
        yield from host_port_conflicts([(0, container)], path)
        if container.restartPolicy == "Always":
            yield from checks(container, around.grace, where)
        else:
            yield from no_checks(container, where)


def ephemeral_containers(given: Sequence[EphemeralContainer], around: Surroundings, path: str) -> Iterator[FieldError]:
    """What the containers break that somebody added to look into a running pod."""
    others = {container.name for container in [*around.spec.containers, *around.spec.initContainers]}
    seen = set(others)
    for index, container in enumerate(given):
        where = f"{path}[{index}]"
        yield from common(container, around, where)
        yield from trimmed(container, where)
        if container.name in seen:
            yield field.duplicate(f"{where}.name", container.name)
        seen.add(container.name)
        if container.targetContainerName and container.targetContainerName not in others:
            yield field.not_found(f"{where}.targetContainerName", container.targetContainerName)
        for name in NOT_EPHEMERAL:
            found = getattr(container, name)
            empty = name == "resources" and found is not None and not (found.requests or found.limits or found.claims)
            if found and not empty:
                yield field.forbidden(f"{where}.{name}", "cannot be set for an Ephemeral Container")
        for number, mount in enumerate(container.volumeMounts):
            for name in ("subPath", "subPathExpr"):
                if getattr(mount, name):
                    message = "cannot be set for an Ephemeral Container"
                    yield field.forbidden(f"{where}.volumeMounts[{number}].{name}", message)


def trimmed(container: Container | EphemeralContainer, path: str) -> Iterator[FieldError]:
    """The image of a pod's container, not of a template's, has no space around it."""
    if container.image != container.image.strip():
        yield field.wrong(f"{path}.image", container.image, "must not have leading or trailing whitespace")


def common(container: Container | EphemeralContainer, around: Surroundings, path: str) -> Iterator[FieldError]:
    """What holds for containers of every kind."""
    if not container.name:
        yield field.required(f"{path}.name")
    else:
        yield from rules.dns_label(container.name, f"{path}.name")
    yield from rules.needed(path, image=container.image)
    policy = container.terminationMessagePolicy
    yield from rules.required_one_of(policy, MESSAGE_POLICIES, f"{path}.terminationMessagePolicy")
    yield from ports(container.ports, f"{path}.ports")
    yield from environment(container, path)
    yield from mounts(container, around.volumes, f"{path}.volumeMounts")
    yield from devices(container, around.volumes, f"{path}.volumeDevices")
    yield from rules.required_one_of(container.imagePullPolicy, PULL_POLICIES, f"{path}.imagePullPolicy")
    yield from requirements(container.resources, around.claims, f"{path}.resources")
    yield from resize(container, around.spec.restartPolicy, f"{path}.resizePolicy")
    shared = around.spec.hostUsers is not False
    yield from container_security(container.securityContext, f"{path}.securityContext", host_users=shared)


def ports(given: Sequence[ContainerPort], path: str) -> Iterator[FieldError]:
    seen: set[str] = set()
    for index, port in enumerate(given):
        where = f"{path}[{index}]"
        if port.name:
            faults = list(rules.port_name(port.name, f"{where}.name"))
            yield from faults
            if not faults and port.name in seen:
                yield field.duplicate(f"{where}.name", port.name)
            seen.add(port.name)
        if not port.containerPort:
            yield field.required(f"{where}.containerPort")
        else:
            yield from rules.port_number(port.containerPort, f"{where}.containerPort")
        if port.hostPort:
            yield from rules.port_number(port.hostPort, f"{where}.hostPort")
        yield from rules.required_one_of(port.protocol, rules.PROTOCOLS, f"{where}.protocol")


def host_port_conflicts(given: Iterable[tuple[int, Container]], path: str) -> Iterator[FieldError]:
    """Two ports of these containers that want the same port of the host."""
    seen: set[str] = set()
    for index, container in given:
        for number, port in enumerate(container.ports):
            if not port.hostPort:
                continue
            key = f"{port.protocol}/{port.hostIP}/{port.hostPort}"
            if key in seen:
                yield field.duplicate(f"{path}[{index}].ports[{number}].hostPort", key)
            seen.add(key)


def resize(container: Container | EphemeralContainer, restart_policy: str, path: str) -> Iterator[FieldError]:
    seen: set[str] = set()
    for index, policy in enumerate(container.resizePolicy):
        if policy.resourceName in seen:
            yield field.duplicate(f"{path}[{index}]", policy.resourceName)
        seen.add(policy.resourceName)
        yield from rules.required_one_of(policy.resourceName, ("cpu", "memory"), path)
        yield from rules.required_one_of(policy.restartPolicy, RESIZE_POLICIES, path)
        if restart_policy == "Never" and policy.restartPolicy != "NotRequired":
            message = "must be 'NotRequired' when `restartPolicy` is 'Never'"
            yield field.wrong(path, policy.restartPolicy, message)


def restart(container: Container, path: str) -> Iterator[FieldError]:
    """A container's own restart policy, and its rules by exit code."""
    given = container.restartPolicyRules
    if container.restartPolicy:
        yield from rules.one_of(container.restartPolicy, RESTART_POLICIES, f"{path}.restartPolicy")
    elif given:
        yield field.required(f"{path}.restartPolicy", "must specify restartPolicy when restart rules are used")
    if len(given) > MOST_RULES:
        yield field.too_long(f"{path}.restartPolicyRules", MOST_RULES, "items")
    for index, rule in enumerate(given):
        yield from restart_rule(rule, f"{path}.restartPolicyRules[{index}]")


def restart_rule(rule: ContainerRestartRule, path: str) -> Iterator[FieldError]:
    yield from rules.one_of(rule.action, ("Restart", "RestartAllContainers"), f"{path}.action")
    if rule.exitCodes is None:
        yield field.required(f"{path}.exitCodes", "must be specified")
        return
    where = f"{path}.exitCodes"
    yield from rules.one_of(rule.exitCodes.operator, ("In", "NotIn"), f"{where}.operator")
    if len(rule.exitCodes.values) > MOST_EXIT_CODES:
        yield field.too_long(f"{where}.values", MOST_EXIT_CODES, "items")
