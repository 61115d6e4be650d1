"""Forks, interrupted threads and TLS: whose connection is whose."""

import datetime as dt
import subprocess
import sys
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from mfa_gate.core.errors import StoreUnavailable
from mfa_gate.core.listing import EVERYBODY
from mfa_gate.stores.redis import RedisStore
from tests.stores.contract import NOW, person, put, session
from tests.stores.redis_servers import RedisServer, Servers, make, reopen

ROOT = Path(__file__).parents[2]


@pytest.fixture
def url(servers: Servers) -> str:
    return servers.emptied("redis-7").url


@pytest.fixture
def store(url: str) -> Iterator[RedisStore]:
    store = make(url, timeout_seconds=10)
    yield store
    store.close()


def test_a_store_is_used_on_both_sides_of_a_fork(store: RedisStore, url: str) -> None:
    process = subprocess.run(
        [sys.executable, "-W", "error", "-m", "tests.stores.redis_forker", url],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (process.returncode, process.stdout, process.stderr) == (0, "[0, 0, 0, 0] 5\n", "")
    rows = store.people(EVERYBODY, limit=99, now=NOW).rows
    versions = {row.account.subject: row.account.version for row in rows}
    assert versions == {"parent": 21, **{f"child{number}": 10 for number in range(4)}}
    assert store.broken_chain() is None


def test_f16_an_interrupted_request_leaves_no_answer_for_somebody_else(
    store: RedisStore, url: str, scale: str
) -> None:
    for number in range(4):
        put(store, person(f"u{number}"), open_session=session(person(f"u{number}"), f"u{number}-1"))
    times = 500 if scale == "small" else 5000
    process = subprocess.run(
        [sys.executable, "-m", "tests.stores.interrupted_reader", url, str(times)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert (process.returncode, process.stdout) == (0, "True 0\n")


# TLS


def certificate(
    folder: Path, name: str, issuer: tuple[x509.Certificate, ec.EllipticCurvePrivateKey] | None = None
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """A certificate for 127.0.0.1 in `name.pem`, its key in `name.key`; without an issuer, an authority."""
    secret = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer[0].subject if issuer else subject)
        .public_key(secret.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(secret.public_key()), critical=False)
    )
    if issuer is None:
        usage = dict.fromkeys(
            ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
             "encipher_only", "decipher_only"), False)  # fmt: skip
        builder = builder.add_extension(
            x509.KeyUsage(key_cert_sign=True, crl_sign=True, **usage), critical=True
        )
    else:
        authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer[1].public_key())
        builder = builder.add_extension(authority, critical=False)
    made = builder.sign(issuer[1] if issuer else secret, hashes.SHA256())
    (folder / f"{name}.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / f"{name}.key").write_bytes(
        secret.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return made, secret


def test_tls_is_spoken_with_a_server_that_the_authority_vouches_for(tmp_path: Path) -> None:
    ca = certificate(tmp_path, "ca")
    certificate(tmp_path, "other-ca")
    for name in ("server", "client"):
        certificate(tmp_path, name, ca)
    files = {"tls-cert-file": "server.pem", "tls-key-file": "server.key", "tls-ca-cert-file": "ca.pem"}
    options = [word for name, file in files.items() for word in (f"--{name}", str(tmp_path / file))]
    server = RedisServer("redis-7", tmp_path, *options)
    try:
        port = RedisServer.free_port()
        with server.client() as shell:
            shell.config_set("tls-port", port)
        place = f"127.0.0.1:{port}/0"
        trusted = f"?ca={tmp_path}/ca.pem"
        signed_in = f"{trusted}&cert={tmp_path}/client.pem&key={tmp_path}/client.key"
        store = make(f"rediss://{place}{signed_in}")
        alice = put(store, person("alice"))
        assert store.facts(alice.id, None, NOW).account == alice
        assert store.feed().poll(0) == ()
        for wrong in (
            f"rediss://{place}",  # signed by nobody whom the system trusts
            f"rediss://{place}{signed_in.replace('ca.pem', 'other-ca.pem')}",
            f"rediss://{place}{trusted}",  # the server asks for a client's certificate
            f"rediss://localhost:{port}/0{signed_in}",  # not the name in the certificate
            f"redis://{place}",
        ):
            with pytest.raises(StoreUnavailable):
                reopen(wrong)
    finally:
        server.kill()
