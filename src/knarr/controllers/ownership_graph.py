"""Who owns whom: the graph that the garbage collector keeps of all objects. Pure; it only says what to look at.

An owner that is referred to but was not seen yet is a virtual node, with the coordinates of the reference. Nodes are
known by uid. Every change gives the uids to look at now, and the references that are wrong beyond doubt.
"""

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from knarr.client.resource import Partial
from knarr.kinds.types.meta_v1 import OwnerReference

ORPHAN, FOREGROUND = "orphan", "foregroundDeletion"  #: the finalizers that ask the collector for something
ABSENT_REMEMBERED = 500


class Identity(NamedTuple):
    """An object's coordinates."""

    api_version: str
    kind: str
    namespace: str
    name: str
    uid: str

    def __str__(self) -> str:
        return f"[{self.api_version}/{self.kind}, namespace: {self.namespace}, name: {self.name}, uid: {self.uid}]"


@dataclass
class Node:
    identity: Identity
    virtual: bool
    owners: tuple[OwnerReference, ...] = ()
    dependents: dict[str, None] = field(default_factory=dict)  #: uids
    deleting: bool = False
    finalizers: tuple[str, ...] = ()
    version: str = ""  #: the resourceVersion of what was seen

    @property
    def deleting_dependents(self) -> bool:
        return self.deleting and FOREGROUND in self.finalizers

    @property
    def orphaning(self) -> bool:
        return self.deleting and ORPHAN in self.finalizers

    def blocks(self, owner: str) -> bool:
        """Whether this object keeps an owner that is deleted in the foreground."""
        return any(reference.uid == owner and reference.blockOwnerDeletion for reference in self.owners)


@dataclass
class Findings:
    """What a change leads to."""

    look_at: dict[str, None] = field(default_factory=dict)  #: uids
    misplaced: list[tuple[Identity, Identity]] = field(default_factory=list)  #: an object and the owner it cannot have

    def add(self, *uids: str) -> None:
        self.look_at.update(dict.fromkeys(uids))


class Graph:
    def __init__(self) -> None:
        self.nodes: dict[str, Node] = {}
        self._absent: OrderedDict[Identity, None] = OrderedDict()

    def renew(self, old: Any, new: Any) -> bool:
        """Take in a change of an object that leaves its owners and what it waits for as they were, if it is one."""
        was, meta = old.metadata, new.metadata
        node = self.nodes.get(meta.uid)
        if node is None or node.virtual or node.deleting:
            return False
        if was.uid != meta.uid or was.ownerReferences != meta.ownerReferences or was.finalizers != meta.finalizers:
            return False
        node.version = meta.resourceVersion
        return not meta.deletionTimestamp

    def observe(self, identity: Identity, obj: Partial) -> Findings:
        """Take in an object as it is now."""
        findings = Findings()
        meta = obj.metadata
        node = self.nodes.get(identity.uid)
        if node is None:
            node = self.nodes[identity.uid] = Node(identity, virtual=False)
        elif node.virtual:
            self._appear(node, identity, findings)
        before = {reference.uid: reference for reference in node.owners}
        node.identity, node.owners = identity, tuple(meta.ownerReferences)
        was_asking = node.orphaning or node.deleting_dependents
        node.deleting, node.finalizers = bool(meta.deletionTimestamp), tuple(meta.finalizers)
        node.version = meta.resourceVersion
        self._relate(node, before, findings)
        if node.orphaning or node.deleting_dependents:
            findings.add(identity.uid)
            if node.deleting_dependents and not was_asking:
                findings.add(*node.dependents)
        return findings

    def forget(self, uid: str) -> Findings:
        """Take in that an object is gone."""
        findings = Findings()
        if (node := self.nodes.pop(uid, None)) is None:
            return findings
        if node.dependents:
            self.note_absent(node.identity)
            findings.add(*node.dependents)
        for reference in node.owners:
            if (owner := self.nodes.get(reference.uid)) is not None:
                owner.dependents.pop(uid, None)
                self._drop_if_idle(owner)
                if owner.deleting_dependents:
                    findings.add(owner.identity.uid)
        return findings

    def confirm_absent(self, node: Node) -> Findings:
        """Take in that the server does not have what a virtual node stands for.

        Dependents may disagree about the coordinates: then only those are looked at that named these, and the node
        goes on with what another one says.
        """
        findings = Findings()
        self.note_absent(node.identity)
        agreeing, other = [], None
        for uid in node.dependents:
            dependent = self.nodes[uid]
            named = [
                coordinates(reference, dependent.identity.namespace)
                for reference in dependent.owners
                if reference.uid == node.identity.uid
            ]
            if any(_same(one, node.identity) for one in named):
                agreeing.append(uid)
            elif named and named[0] not in self._absent:
                other = named[0]
        if other is None:
            return self.forget(node.identity.uid)
        findings.add(*agreeing, node.identity.uid)
        node.identity = other
        return findings

    def dependents(self, node: Node) -> list[Node]:
        """The nodes that refer to this one."""
        return [self.nodes[uid] for uid in node.dependents]

    def absent(self, identity: Identity) -> bool:
        """Whether an owner of these coordinates, cluster-wide or of the namespace, is known not to exist."""
        return identity in self._absent or identity._replace(namespace="") in self._absent

    def is_orphan(self, node: Node) -> bool:
        """Whether an object has owners and each of them is known not to exist."""
        namespace = node.identity.namespace
        return bool(node.owners) and all(self.absent(coordinates(found, namespace)) for found in node.owners)

    def note_absent(self, identity: Identity) -> None:
        self._absent[identity] = None
        self._absent.move_to_end(identity)
        if len(self._absent) > ABSENT_REMEMBERED:
            self._absent.popitem(last=False)

    def _appear(self, node: Node, identity: Identity, findings: Findings) -> None:
        """A virtual node's object was seen; dependents that meant something else must be looked at."""
        node.virtual = False
        for uid in node.dependents:
            dependent = self.nodes[uid]
            fits = any(
                _same(coordinates(reference, dependent.identity.namespace), identity)
                for reference in dependent.owners
                if reference.uid == identity.uid
            )
            if not fits:
                self._suspect(dependent, identity, findings)

    def _relate(self, node: Node, before: dict[str, OwnerReference], findings: Findings) -> None:
        """Make the owners know their dependent, and look at those that it no longer blocks."""
        now = {reference.uid: reference for reference in node.owners}
        for uid, reference in before.items():
            unblocked = reference.blockOwnerDeletion and not (uid in now and now[uid].blockOwnerDeletion)
            if (owner := self.nodes.get(uid)) is None:
                continue
            if unblocked:
                findings.add(uid)
            if uid not in now:
                owner.dependents.pop(node.identity.uid, None)
                self._drop_if_idle(owner)
        for uid, reference in now.items():
            if uid not in before:
                self._add_owner(node, reference, findings)

    def _add_owner(self, node: Node, reference: OwnerReference, findings: Findings) -> None:
        named = coordinates(reference, node.identity.namespace)
        owner = self.nodes.get(reference.uid)
        if owner is None:
            owner = self.nodes[reference.uid] = Node(named, virtual=True)
            findings.add(reference.uid)
        elif not _same(named, owner.identity):
            self._suspect(node, owner.identity, findings, sure=not owner.virtual)
        elif owner.deleting_dependents:
            findings.add(node.identity.uid)
        owner.dependents[node.identity.uid] = None

    def _suspect(self, node: Node, owner: Identity, findings: Findings, *, sure: bool = True) -> None:
        """A reference does not fit the owner of its uid; certain when the namespaces differ."""
        findings.add(node.identity.uid)
        if sure and owner.namespace and owner.namespace != node.identity.namespace:
            reference = next(found for found in node.owners if found.uid == owner.uid)
            findings.misplaced.append((node.identity, coordinates(reference, node.identity.namespace)))

    def _drop_if_idle(self, owner: Node) -> None:
        """Forget a virtual node that nobody refers to any more."""
        if owner.virtual and not owner.dependents:
            self.nodes.pop(owner.identity.uid, None)


def coordinates(reference: OwnerReference, namespace: str) -> Identity:
    """What a reference means in an object of a namespace."""
    return Identity(reference.apiVersion, reference.kind, namespace, reference.name, reference.uid)


def identity_of(api_version: str, kind: str, obj: Any) -> Identity:
    meta = obj.metadata
    return Identity(api_version, kind, meta.namespace, meta.name, meta.uid)


def _same(named: Identity, seen: Identity) -> bool:
    """Whether coordinates fit: a cluster-wide owner may be named from any namespace."""
    return named == seen or (not seen.namespace and named._replace(namespace="") == seen)


def without(references: Iterable[OwnerReference], uids: set[str]) -> list[OwnerReference]:
    return [reference for reference in references if reference.uid not in uids]
