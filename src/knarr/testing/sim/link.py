"""What lies between one component and the server: where requests fail and watches lag, as the faults of the day say.

A `Weather` is a component's faults and outlives it; a `Link` is one life of the component. While nothing is amiss a
request takes no virtual time. `Link.since` says how old what the component goes by may be: rules that hold a component
to what it can know ask for it.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextvars import ContextVar
from dataclasses import dataclass, field

from knarr.client.transport import Request, Response, TransportError
from knarr.meta.errors import ApiError, Conflict, Expired, InternalError, ServiceUnavailable, TooManyRequests
from knarr.server.negotiation import Form
from knarr.server.status import response as status_response
from knarr.server.watches import framed
from knarr.testing.sim.schedule import Act
from knarr.testing.sim.server import Server
from knarr.testing.virtual_time import RIGHT, SKEW

TIMED_OUT = 10.0  #: seconds until a client gives up on a server that it cannot reach
AT_ONCE, BREATH = 50, 0.01  #: writes of a component at one moment, and seconds that each more one takes
ADMIN = "system:admin"  #: may do everything
CALM = 1.0  #: seconds without trouble after which a component has caught up
RETRY_AFTER = 1  #: seconds, as a 429 asks for

WRITER: ContextVar[str] = ContextVar("writer", default="")  #: the component whose request is carried out

ERRORS: dict[str, Callable[[Request], ApiError]] = {
    "409": lambda request: Conflict("the object has been modified; please apply your changes to the latest version"),
    "429": lambda request: TooManyRequests("too many requests", retry_after=RETRY_AFTER),
    "500": lambda request: InternalError("Internal error occurred: a fault of the simulation"),
    "503": lambda request: ServiceUnavailable("the server is currently unable to handle the request"),
}


class Trouble:
    """Since when a component has gone by what may be old: since its last calm moment."""

    def __init__(self) -> None:
        self._active = 0
        self._started = self._ended = float("-inf")

    def begin(self) -> None:
        now = asyncio.get_running_loop().time()
        if not self._active and now - self._ended > CALM:
            self._started = now
        self._active += 1

    def end(self) -> None:
        self._active -= 1
        if not self._active:
            self._ended = asyncio.get_running_loop().time()

    def blip(self, seconds: float = 0.0) -> None:
        """Trouble that lasts so long."""
        self.begin()
        asyncio.get_running_loop().call_later(seconds, self.end)

    def since(self, now: float) -> float:
        return self._started if self._active or now - self._ended <= CALM else now


@dataclass
class Weather:
    """The faults that a component lives with: acts in force, each until some time."""

    rng: random.Random
    acts: list[tuple[float, Act]] = field(default_factory=list)
    cut = 0  #: how often all watches were broken
    expired = 0  #: how often all watches were ended with 410
    crash: Act | None = None  #: armed
    crash_at = 0  #: writes left

    def begin(self, act: Act, until: float) -> None:
        self.acts.append((until, act))

    def arm(self, act: Act) -> None:
        self.crash, self.crash_at = act, int(act.number("write"))

    def now(self, verb: str) -> Act | None:
        """The act of that verb that is in force."""
        time = asyncio.get_running_loop().time()
        return next((act for until, act in self.acts if act.verb == verb and until > time), None)

    def lag(self, path: str) -> Act | None:
        """The act in force that makes a watch late."""
        time = asyncio.get_running_loop().time()
        late = (act for until, act in self.acts if act.verb == "stale" and until > time)
        return next((act for act in late if _is_of(act, path)), None)

    def hits(self, verb: str) -> Act | None:
        """The act of that verb in force, when this request is one of those it hits."""
        act = self.now(verb)
        return act if act is not None and self.rng.random() < act.number("rate") else None


class Named:
    """A link's transport in another's name."""

    def __init__(self, link: "Link", user: str, groups: tuple[str, ...]) -> None:
        self._link, self._user, self._groups = link, user, groups

    async def send(self, request: Request) -> Response:
        return await self._link.send(request, self._user, self._groups)

    async def close(self) -> None:
        return None


class Link:
    """A transport of one life of a component, which may do everything. `die` is called when it is to end at a write."""

    def __init__(self, name: str, server: Server, weather: Weather, die: Callable[[float], None]) -> None:
        self.name, self.weather = name, weather
        self.trouble = Trouble()
        self.doubts: list[float] = []  #: when a creation's answer was lost
        self._server, self._die = server, die
        self._dead = False
        self._moment, self._written = 0.0, 0  # how much was written at the last moment
        self._broken: set[str] = set()  # watches that are to be opened again

    def since(self, now: float) -> float:
        """The earliest time by which the component may still go at `now`."""
        return self.trouble.since(now)

    @property
    def dead(self) -> bool:
        return self._dead

    def kill(self) -> None:
        """From now on nothing of this life reaches the server."""
        self._dead = True

    async def close(self) -> None:
        return None

    def named(self, user: str, groups: tuple[str, ...]) -> Named:
        """The same link for who may do no more than that user."""
        return Named(self, user, groups)

    async def send(self, request: Request, user: str = ADMIN, groups: tuple[str, ...] = ()) -> Response:
        if self._dead:
            raise TransportError("the component is dead")
        writes = request.method != "GET"
        if (failed := await self._before(request, writes)) is not None:
            return failed
        if writes:
            await self._breathe()
            self._count("before")
        answer = await self._ask(request, user, groups)
        if writes:
            self._count_done()
            if self.weather.hits("lose"):
                self._doubt(request)
                raise TransportError("the answer was lost")
        if answer.stream is not None:
            self._opened(_path(request))
            answer.stream = self._stream(answer.stream, _path(request))
        return answer

    async def _before(self, request: Request, writes: bool) -> Response | None:
        """What happens on the way to the server; an answer that does not come from it."""
        weather = self.weather
        if weather.now("partition") or weather.hits("drop"):
            with _Troubled(self.trouble):
                await asyncio.sleep(TIMED_OUT)
            raise TransportError("i/o timeout")
        if writes and (act := weather.now("slow")):
            with _Troubled(self.trouble):
                await asyncio.sleep(weather.rng.random() * act.number("seconds"))
        if (act := weather.hits("errors")) and (act.get("code") != "409" or request.method in ("PUT", "PATCH")):
            self.trouble.blip(RETRY_AFTER)
            return status_response(ERRORS[act.get("code")](request))
        return None

    async def _breathe(self) -> None:
        """Let time pass when very much is written at one moment: nobody is infinitely fast."""
        now = asyncio.get_running_loop().time()
        self._moment, self._written = now, self._written + 1 if now == self._moment else 1
        if self._written > AT_ONCE:
            with _Troubled(self.trouble):
                await asyncio.sleep(BREATH)

    async def _ask(self, request: Request, user: str, groups: tuple[str, ...]) -> Response:
        token, own = WRITER.set(self.name), SKEW.set(RIGHT)
        try:
            return await self._server.answer(request, user, groups)
        except TransportError:
            if request.method == "POST":
                self._doubt(request)
            raise
        finally:
            SKEW.reset(own)
            WRITER.reset(token)

    def _doubt(self, request: Request) -> None:
        self.trouble.blip()
        if request.method == "POST":
            self.doubts.append(asyncio.get_running_loop().time())

    # -------------------------------------------------------------------- death

    def _count(self, moment: str) -> None:
        """Die, if it is now that the component is to."""
        act = self.weather.crash
        if act is not None and self.weather.crash_at <= 1 and act.get("moment", "before") == moment:
            self.weather.crash = None
            self._dead = True
            self._die(act.number("down"))
            raise TransportError("the component is dead")

    def _count_done(self) -> None:
        self._count("after")
        self.weather.crash_at -= 1

    # ------------------------------------------------------------------ watches

    def _opened(self, path: str) -> None:
        if path in self._broken:
            self._broken.discard(path)
            self.trouble.end()

    def _ended(self, path: str) -> None:
        if path not in self._broken and not self._dead:
            self._broken.add(path)
            self.trouble.begin()

    async def _stream(self, stream: AsyncIterator[bytes], path: str) -> AsyncIterator[bytes]:
        weather, server = self.weather, self._server
        cut, expired, life = weather.cut, weather.expired, server.life
        try:
            async for chunk in stream:
                if act := weather.lag(path):
                    await self._late(act)
                if weather.expired > expired:
                    yield framed(Form(), "ERROR", _EXPIRED)
                    return
                if weather.cut > cut or server.life != life or weather.now("partition"):
                    raise TransportError("the stream was cut")
                yield chunk
            if server.life != life:
                raise TransportError("the server is gone")
        finally:
            self._ended(path)
            if close := getattr(stream, "aclose", None):
                await close()

    async def _late(self, act: Act) -> None:
        """Wait for the next burst; what has come meanwhile comes with it."""
        every = max(act.number("seconds"), 0.001)
        now = asyncio.get_running_loop().time()
        wait = -now % every
        if wait > 1e-6:
            with _Troubled(self.trouble):
                await asyncio.sleep(wait)


class _Troubled:
    def __init__(self, trouble: Trouble) -> None:
        self._trouble = trouble

    def __enter__(self) -> None:
        self._trouble.begin()

    def __exit__(self, *error: object) -> None:
        self._trouble.end()


def _is_of(act: Act, path: str) -> bool:
    resource = path.partition("?")[0].rpartition("/")[2]
    return act.get("of", resource) == resource


def _path(request: Request) -> str:
    """What is watched: the path with its selectors."""
    chosen = [f"{key}={value}" for key, value in request.query if key.endswith("Selector")]
    return request.path + "?" + "&".join(chosen)


_EXPIRED = status_response(Expired("too old resource version")).body.strip()  # an event is one line
