"""The nodes on which room is made for pods: until such a pod is there, nobody of no higher priority gets the room.

Keeps true: a pod is nominated to one node at most, from the moment of the decision on, whether that is written in its
status yet or not. The scheduler keeps it; the filters read `by_node`.
"""

from collections.abc import Iterator, KeysView

from knarr.kinds.types.core_v1 import Pod
from knarr.scheduler.board import Key, key_of, priority_of


class Nominations:
    def __init__(self) -> None:
        self.by_node: dict[str, dict[Key, Pod]] = {}
        self._nodes: dict[Key, str] = {}
        self._victims: dict[Key, frozenset[str]] = {}
        self.version = 0  #: counts the changes

    @property
    def keys(self) -> KeysView[Key]:
        """The pods for which room is kept, also those to come."""
        return self._nodes.keys()

    def put(self, pod: Pod, node: str, victims: frozenset[str] = frozenset()) -> None:
        """Keep room for a pod on a node; `victims` are the uids of the pods that are told to go."""
        key = key_of(pod)
        self.drop(key)
        self.version += 1
        self._nodes[key] = node
        self._victims[key] = victims
        self.by_node.setdefault(node, {})[key] = pod

    def drop(self, key: Key) -> str:
        """Keep room for a pod no longer; give the node that it was nominated to, "" for none."""
        self._victims.pop(key, None)
        node = self._nodes.pop(key, "")
        if node:
            self.version += 1
            del self.by_node[node][key]
            if not self.by_node[node]:
                del self.by_node[node]
        return node

    def follow(self, old: Pod | None, new: Pod) -> str:
        """Take over what is written of a pod; give the node that it is no longer nominated to, "" for none.

        A pod of which nothing was and is written keeps the room that is kept for it: the writing is under way.
        """
        key = key_of(new)
        left = ""
        if old is not None and old.metadata.uid != new.metadata.uid:
            left, old = self.drop(key), None
        known, written = self._nodes.get(key, ""), new.status.nominatedNodeName
        if known and not written and (old is None or not old.status.nominatedNodeName):
            self.by_node[known][key] = new
        elif written:
            self.put(new, written, self.victims(key) if written == known else frozenset())
            left = known if written != known else left
        else:
            left = self.drop(key) or left
        return left

    def victims(self, key: Key) -> frozenset[str]:
        """The uids of the pods that were told to go for a pod."""
        return self._victims.get(key, frozenset())

    def expect(self, key: Key, victims: frozenset[str]) -> None:
        """Have a pod wait for these alone: the others could not be told."""
        if key in self._victims:
            self._victims[key] = victims

    def below(self, node: str, priority: int) -> Iterator[Pod]:
        """The pods of lower priority that are nominated to a node."""
        return (pod for pod in [*self.by_node.get(node, {}).values()] if priority_of(pod) < priority)
