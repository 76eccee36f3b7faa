"""Where each certificate of a cluster lies. `issuing.py` makes them."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its private key, as files."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class Pki:
    """Where each certificate of a cluster lies."""

    folder: Path

    def pair(self, name: str) -> Pair:
        return Pair(self.folder / f"{name}.crt", self.folder / f"{name}.key")

    @property
    def ca(self) -> Path:
        return self.folder / "ca.crt"

    @property
    def server(self) -> Pair:
        return self.pair("server")

    @property
    def admin(self) -> Pair:
        return self.pair("admin")

    @property
    def kubelet_client(self) -> Pair:
        """What the API server shows to the nodes' agents."""
        return self.pair("kubelet-client")

    @property
    def front_proxy_ca(self) -> Path:
        """Who signed `front_proxy`: another than signs the certificates of clients."""
        return self.folder / "front-proxy-ca.crt"

    @property
    def front_proxy(self) -> Pair:
        """What the API server shows to servers of further APIs."""
        return self.pair("front-proxy-client")

    @property
    def service_accounts(self) -> Pair:
        """The key that signs service account tokens; its public half is `service-accounts.crt`."""
        return self.pair("service-accounts")

    @property
    def trust(self) -> dict[str, str]:
        """Environment variables for the cluster's processes: the only authority they trust is its own.

        To read the host's hundred takes OpenSSL 20 ms and some megabytes, and aiohttp has it do so twice.
        """
        return {"SSL_CERT_FILE": str(self.ca), "SSL_CERT_DIR": str(self.folder)}

    @property
    def simulated(self) -> Pair:
        """The certificate that the kubelet API of every simulated node is served with."""
        return self.pair("simulated-nodes")

    def node(self, name: str) -> Pair:
        """A node agent's certificate, for both ends: its requests and its own API."""
        return self.pair(f"node-{name}")
