"""The argument `tls` and the default authorities, with real certificates and real handshakes."""

import os
import pickle
import shutil
import ssl
import subprocess
import sys
import threading
import traceback
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import trustme

from meshapi import APIConnectionError, InvalidParamsError, Limits
from meshapi_backends import ConnectionPool, PerLoopTransport, SocketNetwork
from meshapi_backends._networks import contexts
from meshapi_backends._networks.tls_source import TLSSource
from meshapi_core import TLSSettings
from support.certificates import authority, serving
from support.flavours import ASK, on_every_flavour
from support.proxies import HTTPProxy
from support.scripted_server import ScriptedServer
from support.wire import serve

PASSWORD = "rsk_test_password_of_the_key"


class Files(NamedTuple):
    """Files with certificates and keys, as text."""

    authority: str
    folder: str
    certificate: str
    key: str
    encrypted_key: str
    other_key: str
    both: str
    der: str


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    folder = tmp_path_factory.mktemp("tls")
    hashed = folder / "hashed"
    hashed.mkdir()
    path = folder / "ca.pem"
    authority().cert_pem.write_to_path(str(path))
    shutil.copy(path, hashed / f"{_subject_hash(path)}.0")
    own, other = authority().issue_cert("client.test"), authority().issue_cert("other.test")
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    own.cert_chain_pems[0].write_to_path(str(certificate))
    own.private_key_pem.write_to_path(str(key))
    other.private_key_pem.write_to_path(str(folder / "other.pem"))
    both = folder / "both.pem"
    own.private_key_and_cert_chain_pem.write_to_path(str(both))
    encrypted = folder / "encrypted.pem"
    encrypted.write_bytes(_encrypted(key.read_bytes()))
    der = folder / "ca.der"
    der.write_bytes(ssl.PEM_cert_to_DER_cert(path.read_text()))
    return Files(
        *map(str, (path, hashed, certificate, key, encrypted, folder / "other.pem", both, der))
    )


def _subject_hash(path: Path) -> str:
    command = ["openssl", "x509", "-subject_hash", "-noout", "-in", str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def _encrypted(key: bytes) -> bytes:
    from cryptography.hazmat.primitives import serialization as form

    return form.load_pem_private_key(key, None).private_bytes(
        form.Encoding.PEM,
        form.PrivateFormat.PKCS8,
        form.BestAvailableEncryption(PASSWORD.encode()),
    )


def demanding() -> ssl.SSLContext:
    """A context for servers that want a certificate of the client."""
    context = serving()
    authority().configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


async def error_of(client: Any) -> APIConnectionError:
    async with client:
        with pytest.raises(APIConnectionError) as caught:
            await client.chat.completions.create(**ASK)
    return caught.value


# Authorities


@pytest.mark.parametrize("form", ["file", "folder", "path-like"])
@on_every_flavour
async def test_a_file_or_folder_of_authorities_is_trusted(world, files, form):
    tls: Any = {"file": files.authority, "folder": files.folder, "path-like": Path(files.authority)}
    with ScriptedServer(serve, tls=serving()) as server:
        async with world.client(server.url, tls=tls[form]) as client:
            assert (await client.chat.completions.create(**ASK)).id


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
@on_every_flavour
async def test_the_variables_name_authorities(world, files, name, monkeypatch):
    monkeypatch.setenv(name, files.authority if name == "SSL_CERT_FILE" else files.folder)
    with ScriptedServer(serve, tls=serving()) as server:
        async with world.client(server.url) as client:
            assert (await client.chat.completions.create(**ASK)).id


@on_every_flavour
async def test_other_authorities_than_the_given_ones_are_not_trusted(world, files, monkeypatch):
    other = Path(files.authority).with_name("other-ca.pem")
    trustme.CA().cert_pem.write_to_path(str(other))
    monkeypatch.setenv("SSL_CERT_FILE", files.authority)
    with ScriptedServer(serve, tls=serving()) as server:
        error = await error_of(world.client(server.url, tls=str(other)))
    assert error.error_code == "tls_verify"
    assert server.requests == []


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("SSL_CERT_FILE", "/nowhere/ca.pem", "it does not exist"),
        ("SSL_CERT_FILE", "{folder}", "it is a folder"),
        ("SSL_CERT_FILE", "{key}", "it has no certificate in PEM form"),
        ("SSL_CERT_DIR", "/nowhere", "it does not exist"),
        ("SSL_CERT_DIR", "{authority}", "it is not a folder"),
    ],
)
@on_every_flavour
async def test_a_variable_that_names_nothing_usable_is_named(
    world, files, monkeypatch, name, value, why
):
    value = value.format(**files._asdict())
    monkeypatch.setenv(name, value)
    with ScriptedServer(serve, tls=serving()) as server:
        error = await error_of(world.client(server.url))
        assert server.connections == 1, "a retry would fail in the same way"
    assert error.error_code == "tls_verify"
    assert f"{name} ({value}): {why}" in str(error)


@on_every_flavour
async def test_a_file_that_vanishes_after_the_client_was_made_is_named(world, files, tmp_path):
    path = str(tmp_path / "ca.pem")
    shutil.copy(files.authority, path)
    with ScriptedServer(serve, tls=serving()) as server:
        client = world.client(server.url, tls=path)
        os.unlink(path)
        error = await error_of(client)
    assert f"tls ({path}): it does not exist" in str(error)


# Client certificates


@pytest.mark.parametrize("form", ["plain", "encrypted", "password in bytes", "one file"])
@on_every_flavour
async def test_a_client_certificate_is_shown(world, files, form, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", files.authority)
    tls: Any = {
        "plain": (files.certificate, Path(files.key)),
        "encrypted": (files.certificate, files.encrypted_key, PASSWORD),
        "password in bytes": (files.certificate, files.encrypted_key, PASSWORD.encode()),
        "one file": (files.both, files.both),
    }
    seen = []

    def look(peer: Any) -> None:
        seen.append(peer._sock.getpeercert()["subjectAltName"])
        serve(peer)

    with ScriptedServer(look, tls=demanding()) as server:
        async with world.client(server.url, tls=tls[form]) as client:
            assert (await client.chat.completions.create(**ASK)).id
    assert seen == [(("DNS", "client.test"),)]


@on_every_flavour
async def test_a_client_certificate_is_not_shown_to_a_proxy(world, files, monkeypatch):
    """It may name a person, and the proxy is not who it was issued for."""
    monkeypatch.setenv("SSL_CERT_FILE", files.authority)
    seen = []

    def look(peer: Any) -> None:
        seen.append(peer._sock.getpeercert()["subjectAltName"])
        serve(peer)

    curious = serving()
    curious.verify_mode = ssl.CERT_OPTIONAL
    authority().configure_trust(curious)
    with (
        ScriptedServer(look, tls=demanding()) as server,
        HTTPProxy(tls=curious) as proxy,
    ):
        tls = (files.certificate, files.key)
        async with world.client(server.url, proxy=proxy.url, tls=tls) as client:
            assert (await client.chat.completions.create(**ASK)).id
        context = ssl.create_default_context(cafile=files.authority)
        context.load_cert_chain(*tls)
        async with world.client(server.url, proxy=proxy.url, tls=context) as client:
            assert (await client.chat.completions.create(**ASK)).id
    assert seen == [(("DNS", "client.test"),)] * 2
    assert [bool(each) for each in proxy.certificates] == [False, True]


@on_every_flavour
async def test_a_server_that_misses_our_certificate_is_a_typed_error(world, files):
    with ScriptedServer(serve, tls=demanding()) as server:
        error = await error_of(world.client(server.url, tls=files.authority))
    assert error.error_code in ("tls_handshake", "reset", "disconnected")


@pytest.mark.parametrize(
    ("tls", "why"),
    [
        (
            ("{certificate}", "{encrypted_key}", "rsk_test_wrong"),
            "cannot be decrypted with the password",
        ),
        (("{certificate}", "{other_key}"), "the key does not belong to the certificate"),
    ],
)
@on_every_flavour
async def test_a_client_certificate_that_cannot_be_loaded_is_named(
    world, files, monkeypatch, tls, why
):
    monkeypatch.setenv("SSL_CERT_FILE", files.authority)
    paths = tuple(each.format(**files._asdict()) for each in tls)
    with ScriptedServer(serve, tls=demanding()) as server:
        error = await error_of(world.client(server.url, tls=paths))
        assert server.connections == 1
    assert error.error_code == "tls_handshake"
    assert f"tls ({paths[0]} and {paths[1]}): " in str(error)
    assert why in str(error)
    assert "rsk_test_wrong" not in str(error)
    told = traceback.TracebackException.from_exception(error, capture_locals=True)
    assert "rsk_test_wrong" not in "".join(told.format())


# When the client is made


@pytest.mark.parametrize(
    ("tls", "said"),
    [
        ("/nowhere", "tls: expected a CA file or folder, got '/nowhere': it does not exist"),
        ("{key}", "it has no certificate in PEM form"),
        ("{nothing}", "the folder has no hashed certificates; run `openssl rehash` on it"),
        ("{der}", "it has no certificate in PEM form; if it is in DER form, convert it"),
        (
            ("/nowhere/c.pem", "{key}"),
            "tls[0]: expected the file of a client certificate, got '/nowhere/c.pem': it does not",
        ),
        (("{key}", "{key}"), "it has no certificate in PEM form"),
        (
            ("{certificate}", "/nowhere/x.KEY"),
            "tls[1]: expected the file of a private key, got '/nowhere/x.KEY': it does not exist",
        ),
        (("{certificate}", "{certificate}"), "it has no private key in PEM form"),
        (("{certificate}", "{nothing}"), "it is a folder"),
        (("{certificate}", "{encrypted_key}"), "the key is encrypted; write (certificate, key, pa"),
    ],
)
@on_every_flavour
async def test_files_are_checked_when_the_client_is_made(world, files, tmp_path, tls, said):
    (tmp_path / "nothing").mkdir()
    names = {**files._asdict(), "nothing": str(tmp_path / "nothing")}
    given = tuple(each.format(**names) for each in ((tls,) if isinstance(tls, str) else tls))
    with pytest.raises(InvalidParamsError) as caught:
        world.client("https://gateway.test", tls=given[0] if isinstance(tls, str) else given)
    assert said in str(caught.value)


@pytest.mark.parametrize("password", ["x" * 1025, b"x" * 1025, "ü" * 513, "canary\ud800"])
def test_a_password_that_openssl_cannot_take_is_refused(password):
    with pytest.raises(InvalidParamsError, match=r"tls\[2\]: expected a password") as caught:
        TLSSettings.of(("c.pem", "k.pem", password))
    text = "".join(traceback.TracebackException.from_exception(caught.value).format())
    assert "canary" not in text
    assert caught.value.__context__ is None


@pytest.mark.parametrize("path", ["a\0b", "a\ud800"])
def test_a_path_that_the_system_cannot_take_is_refused(path, files):
    for tls in (path, (path, files.key), (files.certificate, path)):
        with pytest.raises(InvalidParamsError, match="no path of a file"):
            TLSSource.of(tls)


@pytest.mark.parametrize("password", [PASSWORD, "c2FsdHk/+w==", "a.b", "x.pem "])
def test_a_password_in_the_wrong_place_is_not_shown(password, files):
    for tls in (
        (password, files.certificate, files.key),
        (files.certificate, password, files.key),
        (password, files.key),
        (files.certificate, password),
    ):
        with pytest.raises(InvalidParamsError) as caught:
            TLSSource.of(tls)
        assert password not in str(caught.value)
        assert str(caught.value).endswith("the order is (certificate, key, password)")
        frames = caught.value.__traceback__
        assert frames is not None
        told = traceback.TracebackException(
            type(caught.value), caught.value, frames.tb_next, capture_locals=True
        )
        # The first frame is this test's own, the second has its argument.
        assert password not in "".join(told.format()).replace(repr(tls), "")


def test_files_with_other_names_can_be_used(files, tmp_path):
    for name, path in (("certificate", files.certificate), ("key", files.key)):
        shutil.copy(path, tmp_path / name)
    context = TLSSource.of((str(tmp_path / "certificate"), str(tmp_path / "key"))).make()
    assert isinstance(context, ssl.SSLContext)


@pytest.mark.parametrize("options", [{}, {"nothing": 1}, {"base_url": "host"}, {"timeout": "x"}])
@on_every_flavour
async def test_a_password_is_in_no_repr_message_or_frame(world, files, options):
    tls: Any = ("/nowhere", files.encrypted_key, PASSWORD)
    with pytest.raises((TypeError, ValueError)) as caught:
        world.client_class(
            **{"base_url": "https://x.test", "token": "rsk_test_1", **options}, tls=tls
        )
    frames = caught.value.__traceback__
    assert frames is not None
    # The first frame is this test's own.
    told = traceback.TracebackException(
        type(caught.value), caught.value, frames.tb_next, capture_locals=True
    )
    assert PASSWORD not in "".join(told.format())
    settings = TLSSettings.of((files.certificate, files.encrypted_key, PASSWORD))
    assert PASSWORD not in repr(settings)
    assert pickle.loads(pickle.dumps(settings)).password == PASSWORD


@pytest.mark.parametrize(
    "pool",
    [
        lambda tls: ConnectionPool(SocketNetwork(), Limits(), tls),
        lambda tls: PerLoopTransport(Limits(), tls),
    ],
)
def test_a_password_is_in_no_frame_of_a_pool(files, pool):
    with pytest.raises(InvalidParamsError) as caught:
        pool(("/nowhere", files.encrypted_key, PASSWORD))
    frames = caught.value.__traceback__
    assert frames is not None
    assert frames.tb_next is not None
    told = traceback.TracebackException(
        type(caught.value), caught.value, frames.tb_next.tb_next, capture_locals=True
    )
    assert "self" in "".join(told.format()), "locals are captured"
    assert PASSWORD not in "".join(told.format())


def test_no_client_loads_ssl_before_it_connects(files):
    program = (
        "import sys; from meshapi import MeshAPI, AsyncMeshAPI\n"
        f"for kind in (MeshAPI, AsyncMeshAPI): kind(token='rsk_test_1', tls={files.authority!r})\n"
        "assert 'ssl' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


# One context for each configuration


def context_for(tls: Any) -> ssl.SSLContext:
    return TLSSource.of(tls).make()


def test_the_same_settings_share_a_context(files, monkeypatch):
    for tls in (None, files.authority, (files.certificate, files.encrypted_key, PASSWORD)):
        assert context_for(tls) is context_for(tls)
    assert context_for(None) is not context_for(files.authority)
    default = context_for(None)
    monkeypatch.setenv("SSL_CERT_FILE", files.authority)
    assert context_for(None) is not default
    own = ssl.create_default_context()
    assert context_for(own) is own


def test_many_threads_share_a_context(files, tmp_path):
    path = str(tmp_path / "ca.pem")
    shutil.copy(files.authority, path)
    start, made = threading.Barrier(8), []

    def make() -> None:
        start.wait(10)
        made.append(context_for(path))

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(made) == 8
    assert len(set(map(id, made))) == 1


def test_a_file_that_was_replaced_is_read_again(files, tmp_path):
    path = tmp_path / "ca.pem"
    shutil.copy(files.authority, path)
    before = context_for(str(path))
    path.unlink()
    trustme.CA().cert_pem.write_to_path(str(path))
    assert context_for(str(path)) is not before


def test_contexts_are_kept_in_a_bounded_number(files, tmp_path):
    for number in range(contexts._MOST + 3):
        path = tmp_path / f"{number}.pem"
        shutil.copy(files.authority, path)
        context_for(str(path))
    assert len(contexts._CONTEXTS._made) == contexts._MOST


@pytest.mark.parametrize("tls", [None, "{authority}", ("{certificate}", "{key}")])
def test_contexts_ask_for_tls_1_2_and_verify(files, tls):
    names = files._asdict()
    if tls is not None:
        tls = tls.format(**names) if isinstance(tls, str) else tuple(t.format(**names) for t in tls)
    context = context_for(tls)
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert context.check_hostname
    assert context.verify_mode == ssl.CERT_REQUIRED


@on_every_flavour
async def test_http_1_1_is_offered_by_alpn(world, files):
    context, chosen = serving(), []
    context.set_alpn_protocols(["h2", "http/1.1"])

    def look(peer: Any) -> None:
        chosen.append(peer._sock.selected_alpn_protocol())
        serve(peer)

    with ScriptedServer(look, tls=context) as server:
        async with world.client(server.url, tls=files.authority) as client:
            await client.chat.completions.create(**ASK)
    assert chosen == ["http/1.1"]


@on_every_flavour
async def test_clients_share_a_context_that_is_made_outside_the_event_loop(
    world, files, tmp_path, monkeypatch
):
    path, threads = str(tmp_path / "ca.pem"), []
    shutil.copy(files.authority, path)
    make = contexts._new_context

    def watched(settings: TLSSettings) -> ssl.SSLContext:
        threads.append(threading.get_ident())
        return make(settings)

    monkeypatch.setattr(contexts, "_new_context", watched)
    with ScriptedServer(serve, tls=serving()) as server:
        for _ in range(2):
            async with world.client(server.url, tls=path) as client:
                await client.chat.completions.create(**ASK)
        assert server.connections == 2
    # A blocking call has a thread of its own.
    assert len(threads) == 1
    assert (threads[0] == threading.get_ident()) is (world.name == "sync")


@on_every_flavour
async def test_a_context_that_takes_long_is_within_the_time_limit(world, files, monkeypatch):
    if world.name == "sync":
        pytest.skip("a blocking program waits in its own thread")
    over = threading.Event()

    def slow(settings: TLSSettings) -> ssl.SSLContext:
        over.wait(10)
        raise OSError("too late")

    monkeypatch.setattr(contexts, "context_of", slow)
    with ScriptedServer(serve, tls=serving()) as server:
        client = world.client(server.url, tls=files.authority, timeout=0.05, max_retries=0)
        error = await error_of(client.with_options(max_retries=0))
        over.set()
    assert error.error_code == "connect_timeout"


# Whose authorities: the table in `contexts.py`


def test_truststore_is_used_where_the_system_verifies(monkeypatch):
    truststore = pytest.importorskip("truststore")
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    for platform, used in (("darwin", True), ("win32", True), ("linux", False)):
        monkeypatch.setattr(sys, "platform", platform)
        context = contexts._new_context(TLSSettings())
        assert (type(context) is truststore.SSLContext) is used
        assert context.minimum_version == ssl.TLSVersion.TLSv1_2


def test_the_variables_come_before_truststore(files, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", files.authority)
    monkeypatch.setattr(sys, "platform", "darwin")
    assert type(contexts._new_context(TLSSettings())) is ssl.SSLContext


def test_without_truststore_the_standard_library_knows_the_system(monkeypatch):
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setitem(sys.modules, "truststore", None)
    assert type(contexts._new_context(TLSSettings())) is ssl.SSLContext


def test_certifi_is_the_last_resort(files, monkeypatch, tmp_path):
    class Certifi:
        @staticmethod
        def where() -> str:
            return files.authority

    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    monkeypatch.setitem(sys.modules, "certifi", Certifi)
    with_system = contexts._new_context(TLSSettings())
    if contexts._trusts_nobody(with_system):
        pytest.skip("this system has no authorities")
    subjects = [each["subject"] for each in with_system.get_ca_certs()]
    empty = partial(ssl.SSLContext, ssl.PROTOCOL_TLS_CLIENT)
    monkeypatch.setattr(ssl, "create_default_context", empty)
    paths = ssl.get_default_verify_paths()._replace(capath=str(tmp_path))
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: paths)
    (only,) = contexts._new_context(TLSSettings()).get_ca_certs()
    assert only["subject"] not in subjects
    monkeypatch.setitem(sys.modules, "certifi", None)
    assert contexts._new_context(TLSSettings()).get_ca_certs() == []


@on_every_flavour
async def test_with_truststore_no_handshake_is_done_in_the_event_loop(world, files, monkeypatch):
    truststore = pytest.importorskip("truststore")
    from meshapi_backends._networks import tls as tls_states

    context = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(files.authority)
    threads = set()

    class Watched(tls_states.TLSState):
        def __init__(self, *args: Any) -> None:
            threads.add(threading.get_ident())
            super().__init__(*args)

        def shake_hands(self) -> bool:
            threads.add(threading.get_ident())
            return super().shake_hands()

    from meshapi_backends._async import tls as async_tls
    from meshapi_backends._sync import tls as sync_tls

    for module in (async_tls, sync_tls):
        monkeypatch.setattr(module, "TLSState", Watched)
    with ScriptedServer(serve, tls=serving()) as server:
        async with world.client(server.url, tls=context) as client:
            assert (await client.chat.completions.create(**ASK)).id
    assert (threading.get_ident() in threads) is (world.name == "sync")
