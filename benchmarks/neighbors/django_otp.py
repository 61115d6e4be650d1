"""A Django page behind sessions, `AuthenticationMiddleware` and `otp_required` of django-otp, all in an SQLite file."""

import io
import os
import sys
from collections.abc import Iterable
from importlib.metadata import version
from tempfile import TemporaryDirectory

import django
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.core.management import call_command
from django.http import HttpRequest, HttpResponse
from django.test.utils import override_settings
from django.urls import path

from benchmarks import browser
from benchmarks.neighbors.wsgi import report


def hello(_: HttpRequest) -> HttpResponse:
    """The page."""
    return HttpResponse("Hello")


FOLDER = TemporaryDirectory()

settings.configure(
    SECRET_KEY="k" * 32,
    ROOT_URLCONF=__name__,
    ALLOWED_HOSTS=["localhost"],
    DEBUG_PROPAGATE_EXCEPTIONS=True,
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": f"{FOLDER.name}/people.db"}},
    SESSION_COOKIE_NAME="session",
    INSTALLED_APPS=[
        "django.contrib.contenttypes",
        "django.contrib.auth",
        "django.contrib.sessions",
        "django_otp",
        "django_otp.plugins.otp_totp",
    ],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django_otp.middleware.OTPMiddleware",
    ],
)
django.setup()

from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY  # noqa: E402
from django.contrib.auth.models import User  # noqa: E402
from django.contrib.sessions.backends.db import SessionStore  # noqa: E402
from django_otp import DEVICE_ID_SESSION_KEY  # noqa: E402
from django_otp.decorators import otp_required  # noqa: E402
from django_otp.plugins.otp_totp.models import TOTPDevice  # noqa: E402

urlpatterns = [path("files", hello, name="bare"), path("kept", otp_required(hello))]


def main() -> None:
    """Open a verified session for alice, then ask for a page with it."""
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"  # an event loop measures; nobody else is in it
    call_command("migrate", verbosity=0)
    alice = User.objects.create_user("alice")
    device = TOTPDevice.objects.create(user=alice, confirmed=True)
    session = SessionStore()
    session[SESSION_KEY] = str(alice.pk)
    session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    session[HASH_SESSION_KEY] = alice.get_session_auth_hash()
    session[DEVICE_ID_SESSION_KEY] = device.persistent_id
    session.create()
    with override_settings(MIDDLEWARE=[]):
        bare = WSGIHandler()
    protected = WSGIHandler()
    environ = browser.environ(browser.cookie_line(session.session_key, "g" * 200))
    environ["wsgi.input"] = io.BytesIO()
    environ["wsgi.errors"] = sys.stderr

    def kept(given: dict[str, object], start_response: object) -> Iterable[bytes]:
        given["PATH_INFO"] = "/kept"
        answer: Iterable[bytes] = protected(given, start_response)
        return answer

    what = f"Sessions and django-otp {version('django-otp')} add to Django {django.get_version()}"
    sys.stdout.write(report(what, bare, kept, environ))


if __name__ == "__main__":
    main()
