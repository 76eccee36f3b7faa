"""The verbs for tests that are no coroutines, and for those that run on another loop than the cluster's."""

import asyncio
import copy
from collections.abc import Awaitable, Callable, Coroutine
from functools import update_wrapper
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

from knarr.testing.thread import LoopThread
from knarr.testing.verbs import Verbs

P = ParamSpec("P")
T = TypeVar("T")
Verb = Callable[Concatenate[Verbs, P], Coroutine[Any, Any, T]]


def blocking(verb: Verb[P, T]) -> Callable[Concatenate["BlockingVerbs", P], T]:
    """A method that has the verb done on the cluster's loop, and waits."""

    def method(self: "BlockingVerbs", /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self.thread.run(verb(self.verbs, *args, **kwargs))

    update_wrapper(method, verb)
    return method


def awaitable(verb: Verb[P, T]) -> Callable[Concatenate["AwaitableVerbs", P], Awaitable[T]]:
    """A method whose answer is awaited on the caller's loop, while the verb is done on the cluster's."""

    def method(self: "AwaitableVerbs", /, *args: P.args, **kwargs: P.kwargs) -> Awaitable[T]:
        return asyncio.wrap_future(self.thread.submit(verb(self.verbs, *args, **kwargs)))

    update_wrapper(method, verb)
    return method


class AwaitableVerbs:
    """The verbs as coroutines of the caller's loop."""

    def __init__(self, thread: LoopThread, verbs: Verbs) -> None:
        self.thread, self.verbs = thread, verbs

    apply = awaitable(Verbs.apply)
    get = awaitable(Verbs.get)
    list = awaitable(Verbs.list)
    patch = awaitable(Verbs.patch)
    delete = awaitable(Verbs.delete)
    wait = awaitable(Verbs.wait)
    wait_all = awaitable(Verbs.wait_all)
    wait_gone = awaitable(Verbs.wait_gone)
    events = awaitable(Verbs.events)


class BlockingVerbs:
    """The verbs as plain functions. What runs the cluster says where clients find it."""

    thread: LoopThread
    verbs: Verbs

    apply = blocking(Verbs.apply)
    get = blocking(Verbs.get)
    list = blocking(Verbs.list)
    patch = blocking(Verbs.patch)
    delete = blocking(Verbs.delete)
    wait = blocking(Verbs.wait)
    wait_all = blocking(Verbs.wait_all)
    wait_gone = blocking(Verbs.wait_gone)
    events = blocking(Verbs.events)

    @property
    def namespace(self) -> str:
        """Where objects without a namespace of their own go."""
        return self.verbs.namespace

    @property
    def aio(self) -> AwaitableVerbs:
        """The same verbs for a test that is a coroutine: its loop goes on meanwhile."""
        return AwaitableVerbs(self.thread, self.verbs)

    @property
    def kubeconfig(self) -> Path:
        """A file that lets kubectl and every client library in as an administrator who works in `namespace`."""
        raise NotImplementedError

    def within(self, namespace: str) -> Self:
        """The same cluster seen from another namespace, which need not be there yet."""
        other = copy.copy(self)
        other.verbs = self.verbs.within(namespace)
        return other

    def what_happened(self) -> str:
        """A report for the test that failed."""
        raise NotImplementedError
