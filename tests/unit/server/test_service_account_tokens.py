"""Service account tokens: whom they stand for, and what ends them before their time."""

import json

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from knarr.kinds.table import BUILTIN
from knarr.meta import clock
from knarr.registry.registry import Registry
from knarr.server.authentication import legacy_tokens
from knarr.server.authentication.issuer import IssuerDocuments
from knarr.server.authentication.service_account_tokens import Bound, ServiceAccountTokens
from knarr.server.state import RegistryState
from knarr.store.memory import open_memory

ISSUER = "https://cluster"
KEY = ec.generate_private_key(ec.SECP256R1())
PRIVATE = KEY.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
PUBLIC = KEY.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
HELD = {"finalizers": ["example.com/hold"]}
OBJECTS = {
    "serviceaccounts": {"metadata": {"name": "robot", **HELD}},
    "pods": {"metadata": {"name": "x", **HELD}, "spec": {"nodeName": "n", "containers": [{"name": "c", "image": "i"}]}},
    "secrets": {"metadata": {"name": "s"}},
    "nodes": {"metadata": {"name": "n"}},
}


@pytest.fixture
async def registry():
    store = await open_memory()
    made = Registry(store, BUILTIN)
    await made.start()
    yield made
    await made.stop()
    await store.close()


class Issuer:
    """Objects to bind tokens to, and the tokens."""

    def __init__(self, registry):
        self.registry = registry
        self.tokens = ServiceAccountTokens(PRIVATE, PUBLIC, ISSUER, RegistryState(registry).exists)
        self.bound = {}

    def kind(self, resource):
        return BUILTIN.by_resource("", "v1", resource)

    async def make(self):
        for resource, tree in OBJECTS.items():
            kind = self.kind(resource)
            entry = await self.registry.create(kind, "ns" if kind.namespaced else "", {**tree})
            self.bound[resource] = Bound(resource, entry.name, entry.uid)
        return self

    def token(self, *resources, **more):
        bound = [self.bound[resource] for resource in resources]
        more = {"audiences": [], "seconds": 600, "bound": bound} | more
        return self.tokens.issue("ns", self.bound["serviceaccounts"], **more)[0]

    async def delete(self, resource):
        kind = self.kind(resource)
        await self.registry.delete(kind, "ns" if kind.namespaced else "", self.bound[resource].name)


@pytest.fixture
async def issuer(registry):
    return await Issuer(registry).make()


class Later:
    """A clock that is ahead."""

    def __init__(self, seconds):
        self.rng, self.seconds, self.real = clock.rng(), seconds, clock.unix()

    def now(self):
        return self.real + self.seconds


@pytest.fixture
def ahead():
    """Sets the clock so many seconds ahead."""
    before = clock.use(Later(0))
    yield lambda seconds: clock.use(Later(seconds))
    clock.use(before)


async def test_a_token_stands_for_its_account(issuer):
    user = await issuer.tokens.user(issuer.token())
    assert (user.name, user.uid) == ("system:serviceaccount:ns:robot", issuer.bound["serviceaccounts"].uid)
    assert user.groups == ("system:serviceaccounts", "system:serviceaccounts:ns")


ENDED_BY = {
    "its secret's end": (("secrets",), "secrets"),
    "its node's end": (("nodes",), "nodes"),
}


@pytest.mark.parametrize("bound, deleted", ENDED_BY.values(), ids=ENDED_BY)
async def test_a_token_ends_with_what_it_is_bound_to(issuer, bound, deleted):
    token = issuer.token(*bound)
    assert await issuer.tokens.user(token) is not None
    await issuer.delete(deleted)
    assert await issuer.tokens.user(token) is None


async def test_a_pods_token_outlives_the_pods_node(issuer):
    token = issuer.token("pods", "nodes")
    await issuer.delete("nodes")
    assert await issuer.tokens.user(token) is not None


@pytest.mark.parametrize("deleted", ["pods", "serviceaccounts"])
async def test_what_a_finalizer_holds_has_a_minute_left(issuer, ahead, deleted):
    token = issuer.token("pods", seconds=86400)
    await issuer.delete(deleted)
    ahead(30)
    assert await issuer.tokens.user(token) is not None
    ahead(120)
    assert await issuer.tokens.user(token) is None


REFUSED = {
    "a token for somebody else": lambda issuer: issuer.token(audiences=["vault"]),
    "a token that is over": lambda issuer: issuer.token(seconds=-1),
    "no token": lambda issuer: "a.b.c",
    "no text": lambda issuer: "\udcff.\udcff.\udcff",
    "a token of another cluster": lambda issuer: ServiceAccountTokens(
        PRIVATE, PUBLIC, "https://elsewhere", issuer.registry
    ).issue("ns", issuer.bound["serviceaccounts"], audiences=[ISSUER], seconds=600)[0],
    "a token with another's claims": lambda issuer: swapped(issuer.token(), issuer.token("secrets")),
}


def swapped(token, other):
    """The head and claims of one token with another's signature."""
    return token.rpartition(".")[0] + "." + other.rpartition(".")[2]


@pytest.mark.parametrize("make", REFUSED.values(), ids=REFUSED)
async def test_what_is_refused(issuer, make):
    assert await issuer.tokens.user(make(issuer)) is None


async def test_others_can_check_a_token_by_what_its_issuer_publishes(registry):
    issuer = await Issuer(registry).make()
    documents = IssuerDocuments(ISSUER, "127.0.0.1:6443", PUBLIC)
    configuration = json.loads(documents.answer("/.well-known/openid-configuration").body)
    assert (configuration["issuer"], configuration["jwks_uri"]) == (ISSUER, "https://127.0.0.1:6443/openid/v1/jwks")
    found = documents.answer("/openid/v1/jwks")
    assert found.headers == {"content-type": "application/jwk-set+json", "cache-control": "public, max-age=3600"}
    keys = {key.key_id: key for key in jwt.PyJWKSet.from_json(found.body.decode()).keys}
    token = issuer.token()
    key = keys[jwt.get_unverified_header(token)["kid"]]
    algorithms = configuration["id_token_signing_alg_values_supported"]
    assert jwt.decode(token, key, algorithms=algorithms, audience=ISSUER)["sub"] == "system:serviceaccount:ns:robot"
    legacy = legacy_tokens.issue(PRIVATE, "ns", "robot", "uid", "s")
    assert jwt.get_unverified_header(legacy)["kid"] == key.key_id
    assert documents.answer("/openid/v1") is None
