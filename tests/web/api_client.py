"""A native client of the JSON API: it keeps cookies if it likes, proves its first step, and names no origin."""

from typing import Any

import pyotp
from httpx2 import Response
from starlette.testclient import TestClient

from mfa_gate.keys import KeyRing
from tests.offices import offices_of
from tests.web.house import House

API = "/mfa/api/v1"


class ApiClient:
    """One client by `user`; None is a stranger. With `cookies=False` it forgets every cookie at once."""

    def __init__(self, house: House, user: str | None, *, cookies: bool = True) -> None:
        self.house = house
        self.user = user
        self.secret = ""
        self.recovery_codes: list[str] = []
        self._keeps = cookies
        self.client = TestClient(
            house.app,
            base_url=house.home,
            follow_redirects=False,
            raise_server_exceptions=False,
            client=("127.0.0.1", 50_000),
        )

    def send(self, method: str, path: str, **more: Any) -> Response:  # noqa: ANN401 - as httpx takes it
        """A request to the API, with the headers that a native client sends; one that is None is left out."""
        known = {"X-Portal-User": self.user, "MFA-Gate-Request": "1", "Accept": "application/json"}
        headers = {**known, **more.pop("headers", {})}
        sent = {name: value for name, value in headers.items() if value is not None}
        answer = self.client.request(method, f"{API}/{path}", headers=sent, **more)
        if not self._keeps:
            self.client.cookies.clear()
        return answer

    def get(self, path: str, **query: str | int) -> Response:
        """Read something."""
        return self.send("GET", path, params=query)

    def post(self, path: str, **fields: object) -> Response:
        """Do something."""
        return self.send("POST", path, json=fields)

    def patch(self, path: str, **fields: object) -> Response:
        """Change something."""
        return self.send("PATCH", path, json=fields)

    def state(self) -> str:
        """Where this client stands."""
        answer = self.get("status")
        assert answer.status_code == 200, answer.text
        return str(answer.json()["state"])

    def code(self, *, steps: int = 0) -> str:
        """What this person's app shows now, or some steps of 30 seconds later."""
        return pyotp.TOTP(self.secret).at(int(self.house.clock()) + 30 * steps)

    def next_code(self) -> str:
        """A code that was never used: the next one, once it is shown."""
        self.house.clock.go(30)
        return self.code()

    def wrong_code(self) -> str:
        """Six digits that fit no step around now."""
        near = {self.code(steps=steps) for steps in range(-3, 4)}
        return next(code for code in ("000000", "111111", "222222", "333333", "444444") if code not in near)

    def begin(self, **fields: object) -> str:
        """Begin to set up an app; the enrollment's id."""
        answer = self.post("totp", **fields)
        assert answer.status_code == 200, answer.text
        self.secret = answer.json()["secret"]
        return str(answer.json()["enrollment"])

    def enroll(self, **fields: object) -> Response:
        """Set up an app from beginning to end."""
        answer = self.post("totp/confirm", enrollment=self.begin(**fields), code=self.code())
        assert answer.status_code == 200, answer.text
        self.recovery_codes = answer.json()["recovery_codes"]
        return answer

    def verify(self) -> Response:
        """Give the next code of the app."""
        return self.post("verify", factor="totp", code=self.next_code())

    def beside(self, *, cookies: bool = True) -> "ApiClient":
        """Another client of the same person, who has the same app in their hand."""
        other = ApiClient(self.house, self.user, cookies=cookies)
        other.secret, other.recovery_codes = self.secret, self.recovery_codes
        return other


def enrolled(house: House, user: str) -> ApiClient:
    """A client whose person has just set up two-step."""
    client = ApiClient(house, user)
    client.enroll()
    return client


def problem_of(answer: Response) -> tuple[int, str]:
    """Status and code of a problem, after a look at its form."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    assert body["status"] == answer.status_code
    assert body["type"] == f"urn:mfa-gate:problem:{body['code']}"
    assert body["title"]
    assert body["detail"]
    if answer.status_code == 401:
        assert answer.headers["www-authenticate"] == "MFA-Gate"
    return answer.status_code, body["code"]


def setup_code(house: House, user: str) -> str:
    """The one-time code that the shell makes for an administrator."""
    keys = KeyRing.find(house.settings.keys.file, {})
    offices = offices_of(house.store, keys.pepper[-1].secret, house.settings.is_admin)
    return offices.setup_code(user, house.clock())
