"""A Flask page behind `auth_required("session")` of Flask-Security, its people in an SQLite file."""

import sys
from importlib.metadata import version
from tempfile import TemporaryDirectory

from flask import Flask
from flask_security import Security, SQLAlchemyUserDatastore, auth_required, login_user
from flask_security.models import fsqla_v3
from flask_sqlalchemy import SQLAlchemy

from benchmarks import browser
from benchmarks.neighbors.wsgi import report


def main() -> None:
    """Sign somebody in, then ask for a page with the cookie."""
    with TemporaryDirectory() as folder:
        sys.stdout.write(_measured(folder))


def _measured(folder: str) -> str:
    bare, protected = Flask("bare"), Flask("protected")
    bare.add_url_rule("/files", view_func=_hello)
    protected.config |= {
        "SECRET_KEY": "k" * 32,
        "SECURITY_PASSWORD_SALT": "s" * 32,
        "SQLALCHEMY_DATABASE_URI": f"sqlite:///{folder}/people.db",
    }
    database = SQLAlchemy(protected)
    fsqla_v3.FsModels.set_db_info(database)

    class Role(database.Model, fsqla_v3.FsRoleMixin):  # type: ignore[name-defined, misc]
        pass

    class User(database.Model, fsqla_v3.FsUserMixin):  # type: ignore[name-defined, misc]
        pass

    people = SQLAlchemyUserDatastore(database, User, Role)
    Security(protected, people)
    protected.add_url_rule("/files", view_func=auth_required("session")(_hello))
    protected.add_url_rule("/in", view_func=lambda: str(login_user(people.find_user(email="a@example.org"))))
    with protected.app_context():
        database.create_all()
        people.create_user(email="a@example.org", password="x")
        people.commit()
    client = protected.test_client()
    client.get("/in")
    cookie = client.get_cookie("session")
    assert cookie
    environ = browser.environ(browser.cookie_line(cookie.value, "g" * 200))
    what = f"Flask-Security {version('flask-security')} adds to Flask"
    return report(what, bare, protected, environ)


def _hello() -> str:
    return "Hello"


if __name__ == "__main__":
    main()
