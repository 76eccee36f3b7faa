"""Asking the cluster's DNS from outside, as `dig @10.96.0.10` would."""

from dnslib import DNSRecord

from knarr.app.demo.observer import BrokenPromise


def resolve(server: str, name: str, type_: str) -> list[str]:
    """The answers' data in zone file form: addresses for A, "priority weight port target" for SRV."""
    try:
        answer = DNSRecord.parse(DNSRecord.question(name, type_).send(server, 53, timeout=3))
    except OSError as error:
        raise BrokenPromise(f"the cluster DNS at {server} does not answer: {error}") from error
    return [str(record.rdata) for record in answer.rr]
