"""The Protocol Buffers form of CRI's messages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knarr.node.runtimes.containerd import messages as cri
from knarr.node.runtimes.containerd.wire import decode, encode

FORMS = {
    "a string is its tag, its length and its bytes": (cri.ImageSpec(image="testing"), "0a07" + b"testing".hex()),
    "a number is a varint": (cri.Number(value=150), "089601"),
    "a negative number has ten bytes": (cri.Number(value=-1), "08" + "ff" * 9 + "01"),
    "a zero is left out": (cri.StopContainerRequest(container_id="", timeout=0), ""),
    "a message that is there is told even when it is all zeros": (
        cri.LinuxContainerSecurityContext(run_as_user=cri.Number()),
        "2a00",
    ),
    "each string of a list has its own tag": (cri.DNSConfig(servers=["a", "b"]), "0a01610a0162"),
    "a map is a list of pairs": (cri.PodSandboxStatusResponse(info={"k": "v"}), "1206" + "0a016b" + "120176"),
    "a flag is a one": (cri.PodSandboxStatusRequest(pod_sandbox_id="s", verbose=True), "0a01731001"),
}


@pytest.mark.parametrize("message, form", FORMS.values(), ids=FORMS)
def test_a_message_has_one_form_both_ways(message, form):
    assert encode(message).hex() == form
    assert decode(type(message), bytes.fromhex(form)) == message


READINGS = {
    "an unknown field of any shape": ("089601" + "3a0161" + "41" + "00" * 8 + "4d" + "00" * 4, cri.Number(value=150)),
    "packed numbers": ("420201" + "02", cri.LinuxContainerSecurityContext(supplemental_groups=[1, 2])),
    "numbers one by one": ("40014002", cri.LinuxContainerSecurityContext(supplemental_groups=[1, 2])),
    "a field that comes twice counts as it came last": ("08010802", cri.Number(value=2)),
}


@pytest.mark.parametrize("form, message", READINGS.values(), ids=READINGS)
def test_reading_understands(form, message):
    assert decode(type(message), bytes.fromhex(form)) == message


BROKEN = {
    "a number without its end": "0896",
    "a string shorter than it says": "0a05",
    "a group, which nobody sends any more": "0b",
    "bytes where a number belongs": "1201" + "61",
}


@pytest.mark.parametrize("form", BROKEN.values(), ids=BROKEN)
def test_reading_refuses(form):
    with pytest.raises(ValueError):
        decode(cri.StopContainerRequest, bytes.fromhex(form))


@given(st.binary(max_size=60))
def test_no_bytes_at_all_break_more_than_the_reading(raw):
    try:
        found = decode(cri.ListPodSandboxResponse, raw)
    except ValueError:
        return
    assert decode(cri.ListPodSandboxResponse, encode(found)) == found


TEXTS = st.text(max_size=8)
CONFIGS = st.builds(
    cri.PodSandboxConfig,
    metadata=st.builds(cri.PodSandboxMetadata, name=TEXTS, attempt=st.integers(0, 2**32 - 1)),
    hostname=TEXTS,
    labels=st.dictionaries(TEXTS, TEXTS, max_size=3),
    dns_config=st.none() | st.builds(cri.DNSConfig, searches=st.lists(TEXTS, max_size=3)),
)


@given(CONFIGS)
def test_what_is_written_is_read_back(config):
    assert decode(cri.PodSandboxConfig, encode(config)) == config
