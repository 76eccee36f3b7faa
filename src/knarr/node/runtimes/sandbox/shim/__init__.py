"""The process that holds one pod: it outlives the node's agent and collects what the pod's processes leave.

It runs isolated, on the standard library alone (`python -I -S`), so that it starts in 20 ms and never depends on
what is installed: nothing in this package imports anything of knarr outside it. One thread, one selector.

The agent and the shim speak in packets over a Unix socket in the pod's directory: JSON, open files beside it.
What must survive both is in files there: `pod.json` (the agent's), `shim.json`, and per container `config.json`
(the agent's) and `state.json` (the shim's).
"""
