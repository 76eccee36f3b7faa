"""The API server put together: registry, chains and documents make one handler. Called by `knarr.app` and by tests."""

import ssl
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from knarr.registry.registry import Registry
from knarr.server.admission.certificates import CertificateSigners
from knarr.server.admission.chain import default_plugins
from knarr.server.admission.charging import charging
from knarr.server.agents import Agents
from knarr.server.aggregation import Aggregation
from knarr.server.authentication import Authenticator, Tokens
from knarr.server.authentication.issuer import IssuerDocuments
from knarr.server.authentication.legacy_tokens import LegacyTokens
from knarr.server.authentication.service_account_tokens import ServiceAccountTokens
from knarr.server.authentication.static_tokens import read as read_tokens
from knarr.server.authentication.token_use import noting
from knarr.server.authorization import Chain
from knarr.server.authorization.components import BuiltIn
from knarr.server.authorization.escalation import NoEscalation
from knarr.server.authorization.masters import Masters
from knarr.server.authorization.node import NodeAgents
from knarr.server.authorization.rbac import Rbac
from knarr.server.discovery import Discovery
from knarr.server.handler import Handler
from knarr.server.health import Check
from knarr.server.history import Histories
from knarr.server.metrics_api import MetricsApi
from knarr.server.openapi.documents import OpenApi
from knarr.server.pki import Pair
from knarr.server.pod_streams import PodStreams
from knarr.server.proxies import Proxies
from knarr.server.resources import Resources
from knarr.server.reviews import Reviews
from knarr.server.routes import Routes
from knarr.server.state import RegistryState


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What differs between servers. Without keys there are no service account tokens, without `agents` no streams."""

    address: str = "127.0.0.1:6443"  #: host and port that discovery names
    issuer: str = "https://kubernetes.default.svc.cluster.local"
    token_file: Path | None = None
    signing_key: Path | None = None  #: the private key of service account tokens, PEM
    verifying_key: Path | None = None  #: its public half
    agents: ssl.SSLContext | None = None  #: how to speak to the nodes' agents
    front_proxy: Pair | None = None  #: what servers of further APIs know this one by
    checks: Sequence[Check] = ()


def build(registry: Registry, settings: Settings | None = None) -> Handler:
    """The handler over a registry that is started."""
    settings = settings or Settings()
    state = RegistryState(registry)
    tokens: list[Tokens] = []
    if settings.token_file is not None:
        tokens.append(read_tokens(settings.token_file))
    service_accounts: ServiceAccountTokens | None = None
    issuer: IssuerDocuments | None = None
    if settings.signing_key is not None and settings.verifying_key is not None:
        service_accounts = ServiceAccountTokens(
            settings.signing_key.read_bytes(), settings.verifying_key.read_bytes(), settings.issuer, state.exists
        )
        issuer = IssuerDocuments(settings.issuer, settings.address, settings.verifying_key.read_bytes())
        tokens += [service_accounts, LegacyTokens(settings.verifying_key.read_bytes(), state, noting(registry))]
    authenticator = Authenticator(tokens)
    rbac = Rbac(state)
    authorizer = Chain((Masters(), BuiltIn(), NodeAgents(state), rbac))
    reviews = Reviews(authenticator, authorizer, rbac, service_accounts)
    agents = Agents(state, settings.agents) if settings.agents is not None else None
    streams, proxies = PodStreams(agents), Proxies(state, agents)
    plugins = default_plugins(charging(registry), registry.kinds.showing, authorizer)
    plugins = replace(
        plugins, validating=(NoEscalation(authorizer, rbac), CertificateSigners(authorizer), *plugins.validating)
    )
    resources = Resources(registry, plugins, state, authorizer)
    metrics = MetricsApi(registry, resources, agents)
    routes = Routes(registry, resources, reviews, state, streams, proxies, metrics, service_accounts)
    aggregation = Aggregation(state, proxies, settings.front_proxy)
    return Handler(
        authenticator,
        authorizer,
        routes,
        Discovery(registry.kinds),
        OpenApi(registry.kinds, aggregation.documents),
        Histories(registry),
        aggregation,
        settings.checks,
        settings.address,
        issuer,
    )


def agents_context(authority: Path, certificate: Path, key: Path) -> ssl.SSLContext:
    """How the API server speaks to the agents: its own certificate shown, theirs checked by the cluster's CA."""
    context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=authority)
    context.load_cert_chain(certificate, key)
    context.set_alpn_protocols(["http/1.1"])
    return context
