"""Every pod runs as a service account and, unless it declines, finds the account's token mounted."""

from knarr.kinds.types.core_v1 import ServiceAccount
from knarr.meta import clock
from knarr.server.admission import Admission, State, Tree, items, part

MOUNT_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"
MIRROR = "kubernetes.io/config.mirror"
TOKEN_SECONDS = 3607
SECONDS = 5.0  #: a new namespace's default account may be a moment away


class ServiceAccounts:
    async def admit(self, admission: Admission, state: State) -> None:
        if not admission.is_("Pod", "create"):
            return
        metadata, spec = part(admission.tree, "metadata"), part(admission.tree, "spec")
        annotations = metadata.get("annotations")
        if isinstance(annotations, dict) and MIRROR in annotations:
            return
        if not spec.get("serviceAccountName"):
            spec["serviceAccountName"] = spec.get("serviceAccount") or "default"
        name = spec["serviceAccountName"]
        spec["serviceAccount"] = name
        account = await find(state, admission.namespace, name)
        if account is None:
            raise admission.refuse(
                f'error looking up service account {admission.namespace}/{name}: serviceaccount "{name}" not found'
            )
        if not spec.get("imagePullSecrets") and account.imagePullSecrets:
            spec["imagePullSecrets"] = [{"name": secret.name} for secret in account.imagePullSecrets]
        if wants_token(spec, account):
            mount_token(spec)


async def find(state: State, namespace: str, name: str) -> ServiceAccount | None:
    """The account; waits a little for one that is about to be made."""
    if (account := await state.get(ServiceAccount, namespace, name)) is not None or name != "default":
        return account
    return await state.appears(ServiceAccount, namespace, name, SECONDS)


def wants_token(spec: Tree, account: ServiceAccount) -> bool:
    own = spec.get("automountServiceAccountToken")
    if own is not None:
        return own is True
    return account.automountServiceAccountToken is not False


def mount_token(spec: Tree) -> None:
    """Mount a token into every container that has nothing at its path; adds the volume when one is needed."""
    volumes = spec.get("volumes") or []
    if not isinstance(volumes, list):
        return
    existing = next((v["name"] for v in items(spec, "volumes") if _holds_token(v)), "")
    volume = existing or f"kube-api-access-{clock.suffix()}"
    needed = False
    for container in [*items(spec, "initContainers"), *items(spec, "containers")]:
        mounts = container.get("volumeMounts") or []
        if not isinstance(mounts, list) or any(
            m.get("mountPath") == MOUNT_PATH for m in items(container, "volumeMounts")
        ):
            continue
        container["volumeMounts"] = [*mounts, {"name": volume, "readOnly": True, "mountPath": MOUNT_PATH}]
        needed = True
    if needed and not existing:
        spec["volumes"] = [*volumes, token_volume(volume)]


def _holds_token(volume: Tree) -> bool:
    return str(volume.get("name", "")).startswith("kube-api-access-")


def token_volume(name: str) -> Tree:
    """Token, CA and namespace, projected into one directory."""
    return {
        "name": name,
        "projected": {
            "sources": [
                {"serviceAccountToken": {"expirationSeconds": TOKEN_SECONDS, "path": "token"}},
                {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
                {
                    "downwardAPI": {
                        "items": [
                            {
                                "path": "namespace",
                                "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"},
                            }
                        ]
                    }
                },
            ],
            "defaultMode": 0o644,
        },
    }
