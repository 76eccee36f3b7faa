"""Rules of probes and lifecycle hooks: what the node may ask or tell a container."""

from collections.abc import Iterator

from knarr.kinds import rules
from knarr.kinds.types.core_v1 import (
    Container,
    ExecAction,
    GRPCAction,
    HTTPGetAction,
    Lifecycle,
    LifecycleHandler,
    Probe,
    SleepAction,
    TCPSocketAction,
)
from knarr.meta import field
from knarr.meta.field import FieldError, at

Action = ExecAction | HTTPGetAction | TCPSocketAction | GRPCAction | SleepAction
HANDLERS = ("exec", "httpGet", "tcpSocket", "grpc", "sleep")  # the order in which upstream looks at them
PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
COUNTS = ("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold")
SCHEMES = ("HTTP", "HTTPS")


def checks(container: Container, grace: int | None, path: str) -> Iterator[FieldError]:
    """What a container's lifecycle and probes break; `grace` is the pod's grace period."""
    if container.lifecycle is not None:
        yield from lifecycle(container.lifecycle, grace, f"{path}.lifecycle")
    for name in PROBES:
        given: Probe | None = getattr(container, name)
        if given is not None:
            yield from probe(given, name, grace, f"{path}.{name}")


def no_checks(container: Container, path: str) -> Iterator[FieldError]:
    """An init container that ends has nothing to check."""
    for name in ("lifecycle", *PROBES):
        if getattr(container, name) is not None:
            yield field.forbidden(f"{path}.{name}", "may not be set for init containers without restartPolicy=Always")


def probe(given: Probe, name: str, grace: int | None, path: str) -> Iterator[FieldError]:
    yield from handler(given, grace, path)
    for key in COUNTS:
        yield from rules.not_negative(getattr(given, key), at(path, key))
    own = given.terminationGracePeriodSeconds
    if own is not None and own <= 0:
        yield field.wrong(f"{path}.terminationGracePeriodSeconds", own, "must be greater than 0")
    if name == "readinessProbe":
        if own is not None:
            message = "must not be set for readinessProbes"
            yield field.wrong(f"{path}.terminationGracePeriodSeconds", own, message)
    elif given.successThreshold != 1:
        yield field.wrong(f"{path}.successThreshold", given.successThreshold or 0, "must be 1")


def lifecycle(given: Lifecycle, grace: int | None, path: str) -> Iterator[FieldError]:
    for name in ("postStart", "preStop"):
        hook: LifecycleHandler | None = getattr(given, name)
        if hook is not None:
            yield from handler(hook, grace, f"{path}.{name}")


def handler(given: Probe | LifecycleHandler, grace: int | None, path: str) -> Iterator[FieldError]:
    """Exactly one handler, and a good one."""
    found = [name for name in HANDLERS if getattr(given, name, None) is not None]
    if not found:
        yield field.required(path, "must specify a handler type")
        return
    yield from action(getattr(given, found[0]), grace, at(path, found[0]))
    for name in found[1:]:
        yield field.forbidden(f"{path}.{name}", "may not specify more than 1 handler type")


def action(given: Action, grace: int | None, path: str) -> Iterator[FieldError]:
    match given:
        case ExecAction():
            yield from rules.needed(path, command=given.command)
        case HTTPGetAction():
            yield from http_get(given, path)
        case SleepAction():
            if grace is not None and not 0 <= given.seconds <= grace:
                message = f"must be non-negative and less than terminationGracePeriodSeconds ({grace})"
                yield field.wrong(path, given.seconds, message)
        case TCPSocketAction() | GRPCAction():
            yield from rules.port(given.port, f"{path}.port")


def http_get(given: HTTPGetAction, path: str) -> Iterator[FieldError]:
    yield from rules.needed(path, path=given.path)
    yield from rules.port(given.port, f"{path}.port")
    yield from rules.one_of(given.scheme, SCHEMES, f"{path}.scheme")
    for header in given.httpHeaders:
        yield from rules.header_name(header.name, f"{path}.httpHeaders")
