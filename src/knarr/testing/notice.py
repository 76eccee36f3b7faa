"""What clients from outside are told by a cluster whose time is not theirs."""

from knarr.client.transport import Handle, Request, Response
from knarr.meta import clock
from knarr.server.call import warning


def on_virtual_time(handle: Handle) -> Handle:
    """The same answers, each with a Warning header that tells the cluster's time."""

    async def noticed(request: Request) -> Response:
        response = await handle(request)
        text = f"this cluster runs on virtual time: it is {clock.timestamp()} there, and moves only when it is told to"
        before = response.headers.get("warning")
        response.headers["warning"] = "\n".join(filter(None, (before, warning(text))))
        return response

    return noticed
