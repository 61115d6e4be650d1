"""Asks for pages of administration as their handlers answer, in this thread: all that is done for one, but for HTTP."""

import os

from benchmarks import browser
from mfa_gate.core.messages import GateRequest
from mfa_gate.flows.committing import Committer
from mfa_gate.web.app import PAGES
from mfa_gate.web.callers import Call
from mfa_gate.wiring import Sources, build_door, build_services
from tests.edges.town import Town, starlette_cookie


class Office:
    """An administrator of a town who has just confirmed; it is always `now` there."""

    def __init__(self, town: Town, now: int, admin: str = "root") -> None:
        sources = Sources(clock=lambda: now, monotonic=lambda: 0.0, random=os.urandom)
        settings = town.settings()
        door = build_door(settings, town.keys, town.store, sources)
        self._services = build_services(
            settings,
            town.keys,
            town.store,
            sources,
            checker=door.checker,
            committer=Committer(town.store, lambda _: None),
            places=door.places,
            timekeeper=door.timekeeper,
        )
        self._now = now
        cookies = browser.cookie_line(starlette_cookie({"user": admin}, now), town.session(admin, now))
        self._headers = (*browser.HEADERS, ("cookie", cookies))

    def page(self, path: str, query: str = "") -> bytes:
        """A page below the mount."""
        request = GateRequest(
            path=f"/mfa{path}", raw_path=f"/mfa{path}", query=query, headers=self._headers, peer="127.0.0.1"
        )
        call = Call(services=self._services, request=request, now=self._now, params={})
        answer = PAGES[path]["GET"](call)
        if answer.status != 200:
            raise RuntimeError(f"{path} was answered with {answer.status}: {answer.headers}")
        return answer.body
