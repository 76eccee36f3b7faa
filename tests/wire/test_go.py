"""client-go, speaking protobuf: the program `go/main.go`, built by hand, because that takes minutes and 110 MB.

apt-get install golang-go && apt-get source --download-only kubernetes
# unpacked as $GOPATH/src/k8s.io/kubernetes, with go/main.go as its cmd/probe/main.go, there:
GO111MODULE=off go build -o /tmp/client-go ./cmd/probe
KNARR_CLIENT_GO=/tmp/client-go python -m pytest tests/wire/test_go.py
"""

import os
import subprocess

import pytest

PROGRAM = os.environ.get("KNARR_CLIENT_GO", "")


@pytest.mark.skipif(not PROGRAM, reason="KNARR_CLIENT_GO names no program; the docstring says how to build it")
@pytest.mark.operation("client-go", "over protobuf: informers, typed client, errors, patches, scale, pages, deletion")
@pytest.mark.operation("client-go", "leader election")
@pytest.mark.operation("client-go", "metadata client")
def test_a_program_of_client_go_works(simulated):
    ran = subprocess.run([PROGRAM, simulated.made], capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.endswith("ALL GOOD\n")
