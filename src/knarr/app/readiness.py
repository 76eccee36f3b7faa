"""Waiting for nodes from the command line: the standard library's HTTP client, which costs no import time."""

import http.client
import json
import ssl
from collections.abc import Collection
from typing import Any

from knarr.app.config import Cluster, ConfigError
from knarr.meta import clock
from knarr.server import pki

NAMED = 10  #: nodes that a message names


def wait_nodes_ready(cluster: Cluster, seconds: float, fresh: Collection[str] = (), since: str = "") -> None:
    """Return when every node of the cluster is Ready; ConfigError, naming the others, after `seconds`.

    Of the `fresh` ones, whose agents have just been started, only what they said after `since` counts: a node that is
    stored as Ready from before may have been down in between.
    """
    deadline = clock.unix() + seconds
    waiting = set(cluster.node_names)
    link = connect(cluster, timeout=seconds)
    try:
        link.request("GET", f"/api/v1/nodes?watch=true&timeoutSeconds={int(seconds)}")
        answer = link.getresponse()
        while waiting and clock.unix() < deadline and (line := answer.readline()):
            node = json.loads(line)["object"]
            name = node["metadata"]["name"]
            if is_ready(node, since if name in fresh else ""):
                waiting.discard(name)
    except TimeoutError:
        pass  # reported below, by the names that are left
    except (OSError, http.client.HTTPException) as error:
        raise ConfigError(f"the API server hung up ({error}); see {cluster.run / 'server.log'}") from error
    finally:
        link.close()
    if waiting:
        real = waiting & set(cluster.real_names)
        logs = cluster.run / (f"{min(real)}.log" if real else "server.log")
        raise ConfigError(f"{named(waiting)} not Ready after {seconds:.0f} s; see {logs}")


def forget_surplus_nodes(cluster: Cluster) -> None:
    """Delete the Node objects of nodes that this cluster once had and has no more."""
    link = connect(cluster)
    try:
        link.request("GET", "/api/v1/nodes")
        names = [node["metadata"]["name"] for node in json.loads(link.getresponse().read())["items"]]
        wanted = set(cluster.node_names)
        for name in names:
            if name.startswith(f"{cluster.name}-") and name not in wanted:
                link.request("DELETE", f"/api/v1/nodes/{name}")
                link.getresponse().read()
    finally:
        link.close()


def ready_nodes(cluster: Cluster) -> dict[str, str]:
    """What the API says of each node's being Ready, by name: True, False or Unknown."""
    link = connect(cluster)
    try:
        link.request("GET", "/api/v1/nodes")
        found = json.loads(link.getresponse().read())["items"]
    except (OSError, http.client.HTTPException) as error:
        raise ConfigError(f"the API server of cluster {cluster.name!r} does not answer: {error}") from error
    finally:
        link.close()
    return {
        node["metadata"]["name"]: condition["status"]
        for node in found
        for condition in node.get("status", {}).get("conditions") or []
        if condition["type"] == "Ready"
    }


def named(nodes: Collection[str]) -> str:
    """Some nodes in a sentence: the first few by name."""
    first = sorted(nodes)[:NAMED]
    return ", ".join(first) + (f" and {len(nodes) - NAMED} more" if len(nodes) > NAMED else "")


def is_ready(node: dict[str, Any], since: str = "") -> bool:
    """Whether a node's agent says that it is Ready, and has said so at or after `since`."""
    conditions = node.get("status", {}).get("conditions") or []
    return any(
        c["type"] == "Ready" and c["status"] == "True" and (c.get("lastHeartbeatTime") or "") >= since
        for c in conditions
    )


def connect(cluster: Cluster, timeout: float = 300) -> http.client.HTTPSConnection:
    """A connection to the API as the cluster's admin."""
    certificates = pki.Pki(cluster.pki)
    context = ssl.create_default_context(cafile=str(certificates.ca))
    context.load_cert_chain(certificates.admin.certificate, certificates.admin.key)
    return http.client.HTTPSConnection("127.0.0.1", cluster.port, context=context, timeout=timeout)
