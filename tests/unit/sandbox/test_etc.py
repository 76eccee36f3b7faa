"""A pod's own /etc/hosts and /etc/resolv.conf."""

from pathlib import Path

from msgspec.structs import replace

from knarr.node.runtimes.runtime import HostAlias, SandboxSpec
from knarr.node.runtimes.sandbox.etc import hosts, resolver

SPEC = SandboxSpec(uid="u", name="web-0", namespace="default", hostname="web-0", log_directory=Path("/logs"))
KUBELETS = """# Kubernetes-managed hosts file.
127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::0\tip6-localnet
fe00::0\tip6-mcastprefix
fe00::1\tip6-allnodes
fe00::2\tip6-allrouters
"""


def test_a_pod_finds_itself():
    assert hosts(SPEC, ["10.244.0.2"], "") == KUBELETS + "10.244.0.2\tweb-0\n"


def test_a_pod_finds_itself_in_both_families():
    both = ["10.244.0.2", "fd00:10:244::2"]
    assert hosts(SPEC, both, "") == KUBELETS + "10.244.0.2\tweb-0\nfd00:10:244::2\tweb-0\n"


def test_under_its_full_name_too_when_it_has_a_subdomain():
    spec = replace(SPEC, domain="web.default.svc.cluster.local")
    assert hosts(spec, ["10.244.0.2"], "").endswith("10.244.0.2\tweb-0.web.default.svc.cluster.local\tweb-0\n")
    whole = replace(spec, hostname="web-0.web.default.svc.cluster.local")  # of setHostnameAsFQDN
    assert hosts(whole, ["10.244.0.2"], "") == hosts(spec, ["10.244.0.2"], "")


def test_aliases_follow_behind_a_comment():
    spec = replace(SPEC, hosts=(HostAlias("1.2.3.4", ("a", "b")),))
    assert hosts(spec, ["10.244.0.2"], "").endswith("\n\n# Entries added by HostAliases.\n1.2.3.4\ta\tb\n")


def test_on_the_hosts_network_the_hosts_lines():
    spec = replace(SPEC, host_network=True)
    assert hosts(spec, [], "127.0.0.1 me\n") == "# Kubernetes-managed hosts file (host network).\n127.0.0.1 me\n"


def test_the_resolvers_file_is_in_the_kubelets_order():
    spec = replace(SPEC, dns_servers=("10.96.0.10",), dns_searches=("a.b", "b"), dns_options=("ndots:5",))
    assert resolver(spec) == "search a.b b\nnameserver 10.96.0.10\noptions ndots:5\n"


def test_nothing_given_is_an_empty_file():
    assert resolver(SPEC) == ""
