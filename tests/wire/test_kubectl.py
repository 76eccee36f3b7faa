"""Every kubectl on the machine against the server: what people type, and what they see."""

import json

MANIFEST = """
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, labels: {app: web}}
data: {colour: blue}
---
apiVersion: v1
kind: Pod
metadata: {name: web-0, labels: {app: web}}
spec:
  containers:
  - {name: web, image: "example.com/web:1"}
"""


async def test_apply_shows_changes_and_applies_them_again(kubectl):
    out = await kubectl("apply", "-f", "-", stdin=MANIFEST)
    assert out.splitlines() == ["configmap/settings created", "pod/web-0 created"]
    changed = MANIFEST.replace("blue", "green")
    code, out, err = await kubectl.run("diff", "-f", "-", stdin=changed)
    assert code == 1, err
    assert "-  colour: blue" in out
    assert "+  colour: green" in out
    dry = await kubectl("apply", "--dry-run=server", "-f", "-", stdin=changed)
    assert dry.splitlines()[0] == "configmap/settings configured (server dry run)"
    out = await kubectl("apply", "-f", "-", stdin=changed)
    assert out.splitlines() == ["configmap/settings configured", "pod/web-0 unchanged"]
    assert await kubectl("get", "cm", "settings", "-o", "jsonpath={.data.colour}") == "green"


async def test_get_prints_what_the_kind_shows(kubectl):
    await kubectl("apply", "-f", "-", stdin=MANIFEST)
    lines = (await kubectl("get", "pods")).splitlines()
    assert lines[0].split() == ["NAME", "READY", "STATUS", "RESTARTS", "AGE"]
    assert lines[1].split()[:4] == ["web-0", "0/1", "Pending", "0"]
    wide = (await kubectl("get", "pods", "-o", "wide", "-l", "app=web")).splitlines()
    assert wide[0].endswith("READINESS GATES")
    assert "No resources found" in (await kubectl.run("get", "pods", "-l", "app=none"))[2]
    names = await kubectl("get", "pods,cm", "-A", "-o", "name", "--field-selector", "metadata.name=web-0")
    assert names.split() == ["pod/web-0"]


async def test_unknown_fields_are_refused_unless_asked_otherwise(kubectl):
    wrong = MANIFEST.replace("image:", "imagee:")
    code, _, err = await kubectl.run("create", "-f", "-", stdin=wrong)
    assert code == 1
    assert 'unknown field "' in err
    assert "imagee" in err


async def test_errors_read_as_upstream(kubectl):
    code, _, err = await kubectl.run("get", "pod", "none")
    assert (code, err) == (1, 'Error from server (NotFound): pods "none" not found\n')
    code, _, err = await kubectl.run("get", "secrets", context="bob")
    assert code == 1
    assert err == (
        'Error from server (Forbidden): secrets is forbidden: User "bob" cannot list resource "secrets" '
        'in API group "" in the namespace "default"\n'
    )


async def test_explain_knows_fields_and_their_meaning(kubectl):
    out = await kubectl("explain", "pod.spec.containers.readinessProbe")
    assert "Periodic probe of container service readiness" in " ".join(out.split())
    assert "periodSeconds" in await kubectl("explain", "--recursive", "pod.spec.containers")


async def test_edit_by_patch_label_and_annotate(kubectl):
    await kubectl("apply", "-f", "-", stdin=MANIFEST)
    await kubectl("label", "pod", "web-0", "tier=front")
    await kubectl("annotate", "cm", "settings", "note=x")
    await kubectl("patch", "cm", "settings", "--type=merge", "-p", '{"data":{"size":"2"}}')
    await kubectl("patch", "cm", "settings", "--type=json", "-p", '[{"op":"remove","path":"/data/colour"}]')
    await kubectl("patch", "pod", "web-0", "-p", '{"spec":{"containers":[{"name":"web","image":"example.com/web:2"}]}}')
    settings = json.loads(await kubectl("get", "cm", "settings", "-o", "json"))
    assert settings["data"] == {"size": "2"}
    pod = json.loads(await kubectl("get", "pod", "web-0", "-o", "json"))
    assert [c["image"] for c in pod["spec"]["containers"]] == ["example.com/web:2"]
    assert pod["metadata"]["labels"] == {"app": "web", "tier": "front"}


async def test_delete_waits_until_it_is_gone(kubectl):
    await kubectl("apply", "-f", "-", stdin=MANIFEST)
    out = await kubectl("delete", "pod/web-0", "cm/settings", "--timeout=60s")
    assert out.splitlines() == ['pod "web-0" deleted', 'configmap "settings" deleted']
    assert (await kubectl.run("get", "pod", "web-0"))[0] == 1


async def test_discovery_lists_kinds_with_their_short_names(kubectl):
    lines = (await kubectl("api-resources", "--no-headers")).splitlines()
    pods = next(line.split() for line in lines if line.startswith("pods "))
    assert (pods[1], pods[-2:]) == ("po", ["true", "Pod"])
    assert "v1" in (await kubectl("api-versions")).split()


async def test_what_may_i_do(kubectl):
    assert (await kubectl("auth", "can-i", "delete", "pods")).strip() == "yes"
    code, out, _ = await kubectl.run("auth", "can-i", "delete", "pods", context="bob")
    assert (code, out.strip()) == (1, "no")


async def test_acting_as_somebody_else_needs_permission(kubectl):
    code, out, _ = await kubectl.run("auth", "can-i", "delete", "pods", "--as", "bob", "--as-group", "devs")
    assert (code, out.strip()) == (1, "no")
    code, _, err = await kubectl.run("get", "pods", "--as", "admin", context="bob")
    assert code == 1
    assert 'users "admin" is forbidden: User "bob" cannot impersonate resource "users"' in err


async def test_version_names_the_kubernetes_api_and_knarr(kubectl):
    out = json.loads(await kubectl("version", "-o", "json"))
    assert out["serverVersion"]["gitVersion"].startswith("v1.37.0+knarr.")
    assert (await kubectl("get", "--raw", "/readyz")) == "ok"


async def test_a_token_of_a_service_account_is_that_account(kubectl, server):
    if kubectl.binary.name == "kubectl":
        return  # kubectl 1.20 has no `create token`
    token = (await kubectl("create", "token", "default")).strip()
    review = json.dumps({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token}})
    out = json.loads(await kubectl("create", "-f", "-", "-o", "json", stdin=review))
    assert out["status"]["user"]["username"] == "system:serviceaccount:default:default"


async def test_drain_evicts_pods(kubectl, server):
    await server.create("/api/v1/nodes", "metadata: {name: node-1}")
    await kubectl(
        "apply",
        "-f",
        "-",
        stdin=MANIFEST.replace("spec:", "spec:\n  nodeName: node-1\n  terminationGracePeriodSeconds: 0"),
    )
    out = await kubectl("drain", "node-1", "--force", "--timeout=60s")
    assert "pod/web-0 evicted" in out or "pod/web-0 deleted" in out  # kubectl 1.20 knows no policy/v1
