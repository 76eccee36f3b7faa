"""The acts of the demo: each does what a user would, checks a promise, and says what it saw."""

import re
from collections.abc import Callable

from knarr.app import agents
from knarr.app.demo import observer
from knarr.app.demo.observer import BrokenPromise, Tree, image, ready
from knarr.app.demo.stage import Stage, check
from knarr.meta import clock

SET = "statefulset/kubia"
GOOD, NEXT, BROKEN = "kubia-stored", "kubia-stored:v2", "kubia-stored:missing"


def all_ready(count: int, wanted: str = "") -> Callable[[dict[str, Tree]], bool]:
    """Exactly kubia-0 .. kubia-(count-1), all Ready, and all of image `wanted` when given."""
    names = {f"kubia-{number}" for number in range(count)}

    def kept(pods: dict[str, Tree]) -> bool:
        return pods.keys() == names and all(ready(p) and wanted in ("", image(p)) for p in pods.values())

    return kept


def build_images(stage: Stage) -> str:
    from knarr.app.images import open_store
    from knarr.node.images.build import build

    store = open_store(stage.cluster)
    build(store, GOOD, stage.example)
    build(store, NEXT, stage.example / "v2")
    return f"{GOOD}, {NEXT}"


def create(stage: Stage) -> str:
    began = clock.unix()
    stage.kubectl("apply", "-f", str(stage.example / "kubia.yaml"))
    took = stage.pods.wait("three ready pods", all_ready(3))
    took = clock.unix() - began
    order = observer.order_of_readiness(stage.pods.since(began))
    check(order == ["kubia-0", "kubia-1", "kubia-2"], f"pods become ready in order: they did as {order}")
    _check_created_after_ready(stage, began)
    return f"3/3 Ready {stage.timed('kubia 3/3 Ready', took)} after apply"


def _check_created_after_ready(stage: Stage, began: float) -> None:
    """No pod was created before its predecessor was Ready."""
    ready_names: set[str] = set()
    for seen in stage.pods.since(began):
        number = int(seen.name.rpartition("-")[2])
        if seen.type == "ADDED" and number and f"kubia-{number - 1}" not in ready_names:
            raise BrokenPromise(f"{seen.name} was created before kubia-{number - 1} was Ready")
        if ready(seen.object):
            ready_names.add(seen.name)


def volumes(stage: Stage) -> str:
    claims = {c["metadata"]["name"]: c for c in stage.get("pvc")["items"]}
    wanted = {f"datapvc-kubia-{number}" for number in range(3)}
    check(claims.keys() == wanted, f"claims {sorted(wanted)}: there are {sorted(claims)}")
    unbound = [name for name, claim in claims.items() if claim["status"]["phase"] != "Bound"]
    check(not unbound, f"every claim is Bound: {unbound} are not")
    volumes = {v["metadata"]["name"]: v for v in stage.get("pv")["items"]}
    names = {claim["spec"]["volumeName"] for claim in claims.values()}
    check(len(names) == 3 and names <= volumes.keys(), "each claim has a volume of its own")
    for name, claim in claims.items():
        volume = volumes[claim["spec"]["volumeName"]]
        path = (volume["spec"].get("hostPath") or volume["spec"]["local"])["path"]
        wanted_name = f"{volume['metadata']['name']}_default_{name}"
        check(path.rpartition("/")[2] == wanted_name, f"the volume's directory is {wanted_name}: it is {path}")
    return f"3 claims, 3 volumes, directories named like {wanted_name}"


def post(stage: Stage) -> str:
    check("No data posted yet" in stage.ask("kubia-1"), "kubia-1 begins without data")
    said = stage.ask("kubia-1", "hello kubia.")
    check(said == "Data stored on kubia-1\n", f"the POST is stored on kubia-1: it said {said!r}")
    check("hello kubia." in stage.ask("kubia-1"), "kubia-1 gives the data back")
    check("No data posted yet" in stage.ask("kubia-0"), "kubia-0 has no data of kubia-1")
    return said.strip()


def delete_one(stage: Stage) -> str:
    before = stage.pods.objects["kubia-1"]
    uids = {name: pod["metadata"]["uid"] for name, pod in stage.pods.objects.items()}
    began = clock.unix()
    stage.kubectl("delete", "pod", "kubia-1", "--wait=false")
    stage.pods.wait(
        "a new kubia-1, Ready",
        lambda pods: (
            (pod := pods.get("kubia-1")) is not None
            and pod["metadata"]["uid"] != before["metadata"]["uid"]
            and ready(pod)
        ),
    )
    took = clock.unix() - began
    most = observer.most_at_once(stage.pods.since(began), uids)
    check(most["kubia-1"] == 1, "there is at most one kubia-1 at any moment")
    after = stage.pods.objects["kubia-1"]
    new, old = after["status"]["podIP"], before["status"]["podIP"]
    check(new != old, f"the new pod has an IP of its own: both have {new}")
    stage.endpoints.wait(f"endpoints with {new} and without {old}", lambda e: _follows(e["kubia"], new, old))
    if stage.real:
        check("hello kubia." in stage.ask("kubia-1"), "the new kubia-1 has the old one's data")
    return f"{old} -> {new}, Ready again {stage.timed('a deleted pod replaced', took)} after the delete"


def _follows(endpoints: Tree, new: str, old: str) -> bool:
    addresses = [a["ip"] for subset in endpoints.get("subsets") or [] for a in subset.get("addresses") or []]
    return new in addresses and old not in addresses


def dns(stage: Stage) -> str:
    from knarr.app.demo import names

    domain = "kubia.default.svc.cluster.local"
    server = stage.cluster.network.dns
    ip = stage.pod_ip("kubia-1")
    answer = names.resolve(server, f"kubia-1.{domain}", "A")
    check(answer == [ip], f"kubia-1.{domain} is {ip}: DNS says {answer}")
    every = sorted(stage.pod_ip(f"kubia-{n}") for n in range(3))
    check(sorted(names.resolve(server, domain, "A")) == every, f"{domain} has every pod's address")
    targets = sorted(names.resolve(server, f"_http._tcp.{domain}", "SRV"))
    wanted = [f"0 33 8080 kubia-{n}.{domain}." for n in range(3)]
    check([t.split()[2:] for t in targets] == [w.split()[2:] for w in wanted], f"SRV names each pod: {targets}")
    script = "import socket; print(socket.gethostbyname('kubia-1.kubia'))"
    inside = stage.kubectl("exec", "kubia-0", "--", "python3", "-c", script).strip()
    check(inside == ip, f"inside kubia-0, kubia-1.kubia is {ip}: it is {inside}")
    return f"A, SRV and kubia-1.kubia inside kubia-0: {ip}"


def scale(stage: Stage) -> str:
    began = clock.unix()
    stage.kubectl("scale", SET, "--replicas=5")
    stage.pods.wait("five ready pods", all_ready(5))
    order = observer.order_of_readiness(s for s in stage.pods.since(began) if s.name in ("kubia-3", "kubia-4"))
    check(order == ["kubia-3", "kubia-4"], f"kubia-3 comes before kubia-4: the order was {order}")
    if stage.real:
        stage.ask("kubia-2", "I shall be back.")
    began = clock.unix()
    stage.kubectl("scale", SET, "--replicas=2")
    stage.pods.wait("kubia-0 and kubia-1 alone", all_ready(2))
    order = observer.order_of_deletion(stage.pods.since(began))
    check(order == ["kubia-4", "kubia-3", "kubia-2"], f"pods go in reverse: they went as {order}")
    check(len(stage.claims.objects) == 5, f"all five claims stay: there are {sorted(stage.claims.objects)}")
    stage.kubectl("scale", SET, "--replicas=3")
    stage.pods.wait("three ready pods", all_ready(3))
    if stage.real:
        check("I shall be back." in stage.ask("kubia-2"), "kubia-2 finds its data again")
    return "up 3, 4; down 4, 3, 2; 5 claims stay" + ("; kubia-2 found its data" if stage.real else "")


def roll(stage: Stage) -> str:
    began = clock.unix()
    stage.kubectl("set", "image", SET, f"kubia={NEXT}")
    stage.pods.wait("three ready pods of v2", all_ready(3, NEXT))
    took = clock.unix() - began
    order = observer.order_of_deletion(stage.pods.since(began))
    check(order == ["kubia-2", "kubia-1", "kubia-0"], f"the update goes from last to first: it went as {order}")
    stage.kubectl("rollout", "status", SET, "--timeout=20s")
    if stage.real:
        said = stage.ask("kubia-1")
        check("v2" in said and "hello kubia." in said, f"v2 serves the old data: it says {said!r}")
    return f"2, 1, 0 in {stage.timed('three pods rolled', took)}"


def canary(stage: Stage) -> str:
    _partition(stage, 2)
    stage.kubectl("set", "image", SET, f"kubia={GOOD}")
    stage.pods.wait("kubia-2 updated", lambda pods: all_ready(3)(pods) and image(pods["kubia-2"]) == GOOD)
    stage.kubectl("delete", "pod", "kubia-0")
    stage.pods.wait("kubia-0 back", all_ready(3))
    images = [image(stage.pods.objects[f"kubia-{n}"]) for n in range(3)]
    check(images == [NEXT, NEXT, GOOD], f"only kubia-2 is updated, kubia-0 keeps its version: {images}")
    _partition(stage, 0)
    stage.pods.wait("all updated once the partition is 0", all_ready(3, GOOD))
    return "only kubia-2 changed; a deleted kubia-0 kept its version; partition 0 finished the rollout"


def _partition(stage: Stage, number: int) -> None:
    strategy = f'{{"type":"RollingUpdate","rollingUpdate":{{"partition":{number}}}}}'
    stage.kubectl("patch", SET, "-p", f'{{"spec":{{"updateStrategy":{strategy}}}}}')


def broken_image(stage: Stage) -> str:
    stage.kubectl("set", "image", SET, f"kubia={BROKEN}")
    stage.pods.wait("kubia-2 stuck on the image", lambda pods: "kubia-2" in pods and _stuck(pods["kubia-2"]) != "")
    reason = _stuck(stage.pods.objects["kubia-2"])
    others = [image(stage.pods.objects[f"kubia-{n}"]) for n in (0, 1)]
    check(others == [GOOD, GOOD], f"kubia-0 and kubia-1 are untouched: {others}")
    return _recover(stage, f"kubia-2 is stuck with {reason}")


def _recover(stage: Stage, seen: str) -> str:
    stage.kubectl("rollout", "undo", SET)
    check(_stuck(stage.pods.objects["kubia-2"]) != "", "undo alone does not replace the broken pod, as upstream")
    stage.kubectl("delete", "pod", "kubia-2")
    stage.pods.wait("all back on the good image", all_ready(3, GOOD))
    return f"{seen}; 0 and 1 untouched; undo and a delete recover it"


def _stuck(pod: Tree) -> str:
    """Why the pod's container waits on its image, or ""."""
    for status in pod.get("status", {}).get("containerStatuses") or []:
        reason = status.get("state", {}).get("waiting", {}).get("reason", "")
        if re.search("Image", reason):
            return str(reason)
    return ""


def orphan_and_adopt(stage: Stage) -> str:
    uids = _uids(stage)
    stage.kubectl("delete", SET, "--cascade=orphan")
    stage.pods.wait(
        "the pods stay, without owner",
        lambda pods: all_ready(3)(pods) and not any(p["metadata"].get("ownerReferences") for p in pods.values()),
    )
    stage.kubectl("apply", "-f", str(stage.example / "kubia.yaml"))
    stage.pods.wait(
        "the new set adopts the pods",
        lambda pods: all_ready(3)(pods) and all(p["metadata"].get("ownerReferences") for p in pods.values()),
    )
    check(_uids(stage) == uids, "no pod was replaced")
    return "the same three pods before, between and after"


def kill_agent(stage: Stage) -> str:
    node = stage.pods.objects["kubia-0"]["spec"]["nodeName"]
    uids, restarts = _uids(stage), _restarts(stage)
    agents.kill(stage.cluster, node)
    if stage.real:
        check("hello" in stage.ask("kubia-1") and stage.ask("kubia-0") != "", "pods answer without their agent")
    began = clock.unix()
    agents.start(stage.cluster, node)
    # The revived agent has looked at its pods when it carries out a new task for one of them.
    stage.kubectl("delete", "pod", "kubia-0")
    stage.pods.wait("kubia-0 replaced by the revived agent", all_ready(3))
    took = clock.unix() - began
    after = _uids(stage)
    check(
        {n: u for n, u in after.items() if n != "kubia-0"} == {n: u for n, u in uids.items() if n != "kubia-0"},
        ("no other pod was replaced"),
    )
    check(_restarts(stage) == restarts, f"no container was restarted: {_restarts(stage)}")
    return f"{node} killed and revived; it works again {stage.timed('a killed agent revived', took)} later"


def _uids(stage: Stage) -> dict[str, str]:
    return {name: pod["metadata"]["uid"] for name, pod in stage.pods.objects.items()}


def _restarts(stage: Stage) -> dict[str, int]:
    pods = stage.pods.objects.items()
    return {name: sum(s["restartCount"] for s in pod["status"]["containerStatuses"]) for name, pod in pods}
