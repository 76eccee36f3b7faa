"""Certificates and tokens that the cluster hands out, from the request to the end, on virtual time."""

import asyncio
import base64
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from knarr.controllers import (
    bootstrap_token_cleaning,
    certificate_approval,
    certificate_cleaning,
    certificate_signing,
    legacy_token_cleaning,
    service_account_secrets,
)
from knarr.kinds.types.certificates_v1 import CertificateSigningRequest
from knarr.kinds.types.core_v1 import Secret, ServiceAccount
from knarr.meta import clock
from knarr.meta.errors import NotFound
from knarr.server import issuing, signing
from knarr.server.authentication.legacy_tokens import LegacyTokens, issue
from knarr.server.authentication.token_use import noting
from knarr.server.pki import Pki
from knarr.server.state import RegistryState
from knarr.testing.cluster import Cluster
from knarr.testing.manifests import post, trees
from knarr.testing.virtual_time import run

KEY = ec.generate_private_key(ec.SECP256R1())
MAY_JOIN = """
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: join}
rules: [{apiGroups: [certificates.k8s.io], resources: [certificatesigningrequests/%s], verbs: [create]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: join}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: join}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: Group, name: "%s"}]
"""
REQUEST = """
apiVersion: certificates.k8s.io/v1
kind: CertificateSigningRequest
metadata: {name: r}
spec: {request: "%s", signerName: kubernetes.io/kube-apiserver-client-kubelet, usages: [digital signature, client auth]}
"""
ACCOUNT = "{apiVersion: v1, kind: ServiceAccount, metadata: {name: robot}}"
TOKEN = """
apiVersion: v1
kind: Secret
metadata: {name: mine, annotations: {kubernetes.io/service-account.name: robot}}
type: kubernetes.io/service-account-token
"""


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    return issuing.ensure(tmp_path_factory.mktemp("pki"), hosts=["localhost"], nodes=[])


def story(act, pki: Pki, heartbeat=10):
    authority, private = signing.authority(pki), pki.service_accounts.key.read_bytes()

    def token(*claims):
        return issue(private, *claims)

    def parts():
        return [
            certificate_approval.CONTROLLER,
            certificate_cleaning.CONTROLLER,
            certificate_signing.controller(authority.sign),
            service_account_secrets.controller(service_account_secrets.Desk(token, "PEM")),
            bootstrap_token_cleaning.CONTROLLER,
            legacy_token_cleaning.CONTROLLER,
        ]

    async def main():
        async with Cluster(parts, heartbeat=heartbeat) as cluster:
            await act(cluster)

    run(main())


def a_nodes_request(node):
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "system:nodes"),
            x509.NameAttribute(NameOID.COMMON_NAME, f"system:node:{node}"),
        ]
    )
    asked = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(KEY, hashes.SHA256())
    return REQUEST % base64.b64encode(asked.public_bytes(serialization.Encoding.PEM)).decode()


async def request(cluster):
    found = await cluster.api.get(CertificateSigningRequest, "r")
    return {each.type: each.reason for each in found.status.conditions}, found.status.certificate


def test_who_may_bring_up_nodes_gets_their_certificates_which_are_cleared_away_after_an_hour(pki):
    async def act(cluster):
        await cluster.apply(MAY_JOIN % ("nodeclient", "system:masters"))
        await cluster.apply(a_nodes_request("n"))
        await cluster.settled()
        decided, certificate = await request(cluster)
        assert decided == {"Approved": "AutoApproved"}
        made = x509.load_pem_x509_certificate(base64.b64decode(certificate))
        assert made.subject.rfc4514_string() == "CN=system:node:n,O=system:nodes"
        await asyncio.sleep(3600)
        with pytest.raises(NotFound):
            await cluster.api.get(CertificateSigningRequest, "r")

    story(act, pki)


def test_a_request_that_nobody_may_make_waits_for_a_person_and_goes_after_a_day(pki):
    async def act(cluster):
        nobody = cluster.client("jane", "people")
        await cluster.apply(
            "{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: ask}, rules: "
            "[{apiGroups: [certificates.k8s.io], resources: [certificatesigningrequests], verbs: [create]}]}"
        )
        await cluster.apply(
            "{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding, metadata: {name: ask}, roleRef: "
            "{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: ask}, subjects: "
            "[{apiGroup: rbac.authorization.k8s.io, kind: Group, name: people}]}"
        )
        for tree in trees(a_nodes_request("n")):
            await post(nobody, tree, "default")
        await cluster.settled()
        assert await request(cluster) == ({}, "")
        await asyncio.sleep(24 * 3600)
        with pytest.raises(NotFound):
            await cluster.api.get(CertificateSigningRequest, "r")

    story(act, pki)


async def held(cluster):
    found = await cluster.api.get(Secret, "mine", "default")
    return {key: base64.b64decode(value).decode() for key, value in found.data.items()}


def checking(cluster, pki):
    public = pki.service_accounts.certificate.read_bytes()
    return LegacyTokens(public, RegistryState(cluster.registry), noting(cluster.registry))


async def labels(cluster):
    return (await cluster.api.get(Secret, "mine", "default")).metadata.labels


def test_a_token_that_an_account_names_is_no_good_after_a_time_without_use_and_gone_after_another(pki, monkeypatch):
    monkeypatch.setattr(legacy_token_cleaning, "YEAR", timedelta(days=4))

    async def act(cluster):
        await cluster.apply(
            "{apiVersion: v1, kind: ConfigMap, metadata: {name: kube-apiserver-legacy-service-account-token-tracking, "
            f"namespace: kube-system}}, data: {{since: '{clock.now():%Y-%m-%d}'}}}}"
        )
        await cluster.apply(ACCOUNT, TOKEN)
        await cluster.api.patch(ServiceAccount, "robot", "default", {"secrets": [{"name": "mine"}]})
        await cluster.settled()
        tokens, token = checking(cluster, pki), (await held(cluster))["token"]
        await cluster.advance(days=3)
        assert await tokens.user(token)
        used = {"kubernetes.io/legacy-token-last-used": f"{clock.now():%Y-%m-%d}"}
        assert await labels(cluster) == used
        await cluster.advance(days=4)
        assert await labels(cluster) == used
        await cluster.advance(days=2)
        assert set(await labels(cluster)) == {*used, "kubernetes.io/legacy-token-invalid-since"}
        assert await tokens.user(token) is None
        assert await labels(cluster) != used  # that it was tried is noted too
        await cluster.api.patch(
            Secret, "mine", "default", {"metadata": {"labels": {"kubernetes.io/legacy-token-invalid-since": None}}}
        )
        assert await tokens.user(token)
        await cluster.advance(days=7)
        assert await tokens.user(token) is None
        await cluster.advance(days=3)
        assert await labels(cluster)
        await cluster.advance(days=4)
        with pytest.raises(NotFound):
            await cluster.api.get(Secret, "mine", "default")

    story(act, pki, heartbeat=86400)


def test_a_secrets_token_is_good_until_the_secret_or_the_account_is_gone(pki):
    async def act(cluster):
        await cluster.apply(ACCOUNT, TOKEN)
        await cluster.settled()
        data = await held(cluster)
        assert (data["namespace"], data["ca.crt"]) == ("default", "PEM")
        tokens = checking(cluster, pki)
        user = await tokens.user(data["token"])
        assert user.name == "system:serviceaccount:default:robot"
        assert "system:serviceaccounts:default" in user.groups
        assert await tokens.user(data["token"][:-3] + "abc") is None
        await cluster.api.patch(Secret, "mine", "default", {"data": {"token": None}})
        await cluster.settled()
        data = await held(cluster)
        assert await tokens.user(data["token"])
        await cluster.api.delete(ServiceAccount, "robot", "default")
        assert await tokens.user(data["token"]) is None
        await cluster.settled()
        with pytest.raises(NotFound):
            await cluster.api.get(Secret, "mine", "default")

    story(act, pki)


def test_a_secret_for_an_account_that_is_made_again_goes(pki):
    async def act(cluster):
        await cluster.apply(ACCOUNT, TOKEN)
        await cluster.settled()
        await cluster.api.delete(ServiceAccount, "robot", "default")
        await cluster.apply(ACCOUNT)
        await cluster.settled()
        with pytest.raises(NotFound):
            await cluster.api.get(Secret, "mine", "default")

    story(act, pki)


def test_an_account_forgets_a_secret_that_is_deleted(pki):
    async def act(cluster):
        await cluster.apply(ACCOUNT, TOKEN)
        named = {"secrets": [{"name": "mine"}, {"name": "other"}]}
        await cluster.api.patch(ServiceAccount, "robot", "default", named)
        await cluster.settled()
        await cluster.api.delete(Secret, "mine", "default")
        await cluster.settled()
        account = await cluster.api.get(ServiceAccount, "robot", "default")
        assert [each.name for each in account.secrets] == ["other"]

    story(act, pki)


def test_a_bootstrap_token_goes_when_it_is_over(pki):
    async def act(cluster):
        end = clock.timestamp(clock.now() + timedelta(hours=1))
        await cluster.apply(
            "{apiVersion: v1, kind: Secret, metadata: {name: bootstrap-token-abcdef, namespace: kube-system}, "
            f"type: bootstrap.kubernetes.io/token, stringData: {{token-id: abcdef, expiration: '{end}'}}}}"
        )
        await asyncio.sleep(3598)
        assert await cluster.api.get(Secret, "bootstrap-token-abcdef", "kube-system")
        await asyncio.sleep(3)
        with pytest.raises(NotFound):
            await cluster.api.get(Secret, "bootstrap-token-abcdef", "kube-system")

    story(act, pki)
