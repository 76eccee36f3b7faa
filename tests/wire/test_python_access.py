"""How PyPI's clients come to the server: kubeconfig's ways to say who one is, and a pod's service account."""

import base64
import json
import stat
import sys
from functools import partial

import kr8s
import lightkube
import pytest
import yaml
from kubernetes import client, config
from lightkube.resources.core_v1 import ConfigMap

shows = partial(pytest.mark.operation, "kubernetes")


def name_of(api):
    review = client.AuthenticationV1Api(api).create_self_subject_review(client.V1SelfSubjectReview())
    return review.status.user_info.username


def as_user(place, **user):
    """A kubeconfig with one user, who is told by these fields."""
    written = yaml.safe_load(place.kubeconfig.read_text())
    written["users"] = [{"name": written["contexts"][0]["context"]["user"], "user": user}]
    place.kubeconfig.write_text(yaml.safe_dump(written))
    return str(place.kubeconfig)


@shows("kubeconfig: client certificate")
def test_a_client_certificate_is_its_common_name(place):
    with config.new_client_from_config(str(place.kubeconfig)) as api:
        assert name_of(api) == "kubernetes-admin"


@shows("kubeconfig: token")
def test_a_token_is_its_user(place):
    with config.new_client_from_config(as_user(place, token="bob-token")) as api:
        assert name_of(api) == "bob"


@shows("kubeconfig: token file")
def test_a_token_file_is_its_user(place):
    token = place.folder / "token"
    token.write_text(place.token())
    with config.new_client_from_config(as_user(place, tokenFile=str(token))) as api:
        assert name_of(api) == f"system:serviceaccount:{place.namespace}:default"


@shows("kubeconfig: exec plugin")
def test_an_exec_plugin_gives_a_token(place):
    credential = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "kind": "ExecCredential",
        "status": {"token": "bob-token"},
    }
    plugin = place.folder / "plugin"
    plugin.write_text(f"#!{sys.executable}\nprint({json.dumps(credential)!r})\n")
    plugin.chmod(plugin.stat().st_mode | stat.S_IXUSR)
    how = {"apiVersion": "client.authentication.k8s.io/v1", "command": str(plugin), "interactiveMode": "Never"}
    with config.new_client_from_config(as_user(place, exec=how)) as api:
        assert name_of(api) == "bob"


@pytest.fixture
def mounted(place, monkeypatch):
    """What a pod has: its service account's folder, and the server in its environment."""
    cluster = yaml.safe_load(place.kubeconfig.read_text())["clusters"][0]["cluster"]
    host, port = cluster["server"].removeprefix("https://").split(":")
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", host)
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", port)
    place.let("default", "view")
    (place.folder / "token").write_text(place.token())
    (place.folder / "namespace").write_text(place.namespace)
    (place.folder / "ca.crt").write_bytes(base64.b64decode(cluster["certificate-authority-data"]))
    return place.folder


@shows("in a pod, by its service account")
def test_kubernetes_works_in_a_pod(mounted, place):
    inside = client.Configuration()
    config.incluster_config.InClusterConfigLoader(
        str(mounted / "token"), str(mounted / "ca.crt"), try_refresh_token=False
    ).load_and_set(inside)
    with client.ApiClient(inside) as api:
        assert name_of(api) == f"system:serviceaccount:{place.namespace}:default"
        assert client.CoreV1Api(api).list_namespaced_config_map(place.namespace).items
        with pytest.raises(client.ApiException) as error:
            client.CoreV1Api(api).list_namespaced_secret(place.namespace)
    assert error.value.status == 403


@pytest.mark.operation("lightkube", "in a pod, by its service account")
def test_lightkube_works_in_a_pod(mounted, place):
    inside = lightkube.Client(config=lightkube.KubeConfig.from_service_account(str(mounted)))
    assert [m.metadata.name for m in inside.list(ConfigMap)] == ["kube-root-ca.crt"]
    with pytest.raises(lightkube.ApiError) as error:
        inside.create(ConfigMap.from_dict({"metadata": {"name": "x"}}))
    assert error.value.status.reason == "Forbidden"


@pytest.mark.filterwarnings("ignore:Kubernetes version .* is not supported")
@pytest.mark.operation("kr8s", "in a pod, by its service account")
async def test_kr8s_works_in_a_pod(mounted, place):
    inside = await kr8s.asyncio.api(serviceaccount=str(mounted), kubeconfig="/nonexistent")
    assert [m.name async for m in inside.get("configmaps", namespace=place.namespace)] == ["kube-root-ca.crt"]
