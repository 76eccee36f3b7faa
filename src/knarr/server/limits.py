"""What one connection may take of the server's memory and patience."""

from knarr.client.transport import Response

LIMIT = 3 * 1024 * 1024  #: bytes of a request's body, upstream's
HEAD_LIMIT = 64 * 1024
READ = 64 * 1024  #: bytes that are taken from a connection at once
PIPELINED = 16  #: requests that may wait on one connection before it is read no further
#: bytes of bodies that may wait likewise; of an answer, those that are encrypted before others' turn
SLICE = 256 * 1024
HEAD_SECONDS = 32.0  #: in which a request's head must have come whole, and the first begun; upstream's
BODY_SECONDS = 60.0  #: in which all of it must have come: upstream's limit for a request
STALL_SECONDS = 60.0  #: for how long a client may read nothing of an answer that waits for it
IDLE_SECONDS = 3600.0  #: how long a connection may lie unused
LINGER_SECONDS = 2.0  #: how long a refused client may go on sending, so that it can read why


class Live(Response):
    """A stream whose client has to keep up, as what it has not read piles up: it is cut off when it stalls."""
