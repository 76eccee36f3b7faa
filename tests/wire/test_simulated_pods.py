"""Every kubectl looking into a pod of a simulated node, over SPDY or WebSocket: it is told that nothing runs there."""

import asyncio
import contextlib
import re

from knarr.client.api import Api
from knarr.client.informer import Informers
from knarr.client.transport import InProcess
from knarr.kinds.table import BUILTIN
from knarr.node.agent import Agent
from knarr.node.config import NodeConfig
from knarr.node.runtimes.simulated import SimulatedRuntime

POD = """
apiVersion: v1
kind: Pod
metadata: {name: a}
spec: {nodeName: node-1, containers: [{name: c, image: "img:1"}]}
"""
LOG = "simulated: this container has no process and writes no log\n"
TEXT = "simulated: this pod has no process\n"


@contextlib.asynccontextmanager
async def ready_pod(kubectl):
    """A pod that is Ready on a simulated node."""
    server = kubectl.server
    mine = server.pki.node("node-1")
    config = NodeConfig(
        name="node-1",
        node_ip="127.0.0.1",
        folder=server.folder / "node",
        runtime="simulated",
        ca=server.pki.ca,
        serving_cert=mine.certificate,
        serving_key=mine.key,
        port=0,
    )
    await server.create("/api/v1/namespaces", "metadata: {name: kube-node-lease}")
    api = Api(InProcess(server.handler.handle), BUILTIN, user_agent="kubelet")
    async with Informers(api) as informers, asyncio.TaskGroup() as group:
        agent = Agent(config, api, informers, SimulatedRuntime())
        task = group.create_task(agent.run())
        await agent.registered.wait()
        await server.create("/api/v1/namespaces/default/pods", POD)
        await kubectl("wait", "pod/a", "--for=condition=Ready", "--timeout=60s")
        yield
        task.cancel()


COMMANDS = {
    "its logs": (["logs", "a"], LOG),
    "its logs as they come": (["logs", "-f", "a"], LOG),
    "a command": (["exec", "a", "--", "ls"], TEXT),
    "a command with input": (["exec", "-i", "a", "--", "cat"], TEXT),
    "its process": (["attach", "a"], TEXT),
}


async def test_what_is_asked_is_answered(kubectl):
    async with ready_pod(kubectl):
        answers = {name: await kubectl(*arguments, stdin="x") for name, (arguments, _) in COMMANDS.items()}
    assert answers == {name: answer for name, (_, answer) in COMMANDS.items()}


COPIES = {"into it": ["/etc/hostname", "a:/tmp/x"], "out of it": ["a:/etc/hostname", "{}/x"]}


async def test_files_are_not_copied(kubectl, tmp_path):
    async with ready_pod(kubectl):
        for name, arguments in COPIES.items():
            code, said, complaint = await kubectl.run("cp", *(each.format(tmp_path) for each in arguments))
            assert code == 1, name
            assert "simulated: this pod has no files, tar cannot run" in said + complaint, name
    assert not (tmp_path / "x").exists()


async def test_a_forwarded_port_answers(kubectl):
    async with ready_pod(kubectl):
        forwarding = await asyncio.create_subprocess_exec(
            kubectl.binary,
            f"--kubeconfig={kubectl.server.kubeconfig}",
            "port-forward",
            "pod/a",
            ":80",
            stdout=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(60):
                told = (await forwarding.stdout.readline()).decode()
                port = re.fullmatch(r"Forwarding from 127\.0\.0\.1:(\d+) -> 80\n", told)[1]
                reader, writer = await asyncio.open_connection("127.0.0.1", int(port))
                writer.write(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
                answer = await reader.readuntil(TEXT.encode())
                writer.close()
        finally:
            forwarding.kill()
            await forwarding.wait()
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
