"""Forward proxies: squid and tinyproxy for HTTP, microsocks and dante for SOCKS5."""

import secrets
from pathlib import Path
from typing import Optional
from urllib.parse import quote

from peers.nginx import write_certificate
from peers.programs import IS_ROOT, NOBODY, Program, unpacked

USER = "mesh-user"
PASSWORD = "canary-p@ss:w/rd%1"
"""With everything that must be escaped in a URL."""

PLAIN_PASSWORD = "canary-password.1"
"""For tinyproxy, whose configuration has no quotes."""


class ForwardProxy(Program):
    """A proxy that anybody may use, or only with a password.

    Args:
        with_password: whether it asks for `USER` and `password`.
    """

    scheme = "http"
    password = PASSWORD

    def __init__(self, *, with_password: bool = False) -> None:
        super().__init__()
        self.with_password = with_password

    @property
    def address(self) -> str:
        """The proxy's URL without user and password: as an error may show it."""
        return f"{self.scheme}://127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return self.url_with(self.password) if self.with_password else self.address

    def url_with(self, password: str, scheme: Optional[str] = None) -> str:
        """Return the URL with this password."""
        scheme = scheme or self.scheme
        return f"{scheme}://{USER}:{quote(password, safe='')}@127.0.0.1:{self.port}"

    def seen(self) -> "list[str]":
        """Return what it was asked for, from its log: such as `CONNECT 127.0.0.1:443`."""
        raise NotImplementedError


class Squid(ForwardProxy):
    """squid.

    Args:
        forbidden: a port that it makes no tunnels to.
    """

    name = "squid"

    def __init__(self, *, with_password: bool = False, forbidden: int = 1) -> None:
        super().__init__(with_password=with_password)
        self._forbidden = forbidden
        # A name for its shared memory, so that two can run.
        self._service = f"peers{secrets.token_hex(6)}"

    def kill(self) -> None:
        super().kill()
        # Only a squid that ends by itself removes it.
        for path in Path("/dev/shm").glob(f"{self._service}-*"):
            path.unlink(missing_ok=True)

    def command(self) -> "list[str]":
        # What it tells the helper has the characters escaped that RFC 1738 calls unsafe.
        secret = f"{USER} {quote(PASSWORD, safe='@:/')}"
        (self.folder / "passwords.sh").write_text(HELPER.format(secret=secret), "utf-8")
        if self.scheme == "https":
            write_certificate(self.folder / "server.pem")
        (self.folder / "squid.conf").write_text(
            SQUID.format(
                listen="https_port" if self.scheme == "https" else "http_port",
                certificate=" tls-cert=server.pem" if self.scheme == "https" else "",
                port=self.port,
                folder=self.folder,
                user=f"cache_effective_user {NOBODY}" if IS_ROOT else "",
                share=unpacked("usr/share/squid"),
                mime=unpacked("usr/share/squid/mime.conf"),
                errors=unpacked("usr/share/squid/errors/en"),
                forbidden=self._forbidden,
                password=SQUID_PASSWORD.format(folder=self.folder) if self.with_password else "",
            ),
            "utf-8",
        )
        # -N: one process, no daemon.
        return [self.program, "-N", "-n", self._service, "-f", str(self.folder / "squid.conf")]

    def seen(self) -> "list[str]":
        return [f"{method} {url}" for method, url, _ in self.lines()]

    def lines(self) -> "list[tuple[str, str, str]]":
        """Return the lines of the access log: method, URL or target, status."""
        rows = (line.split() for line in lines_of(self, "access"))
        # The test whether it accepts connections leaves a line, too.
        return [(row[5], row[6], row[3].partition("/")[2]) for row in rows if row[5] != "-"]


class SquidOverTLS(Squid):
    """squid, to which clients speak TLS. Its certificate is one of `support.certificates`."""

    scheme = "https"


class Tinyproxy(ForwardProxy):
    name = "tinyproxy"
    password = PLAIN_PASSWORD

    def command(self) -> "list[str]":
        password = f"BasicAuth {USER} {PLAIN_PASSWORD}" if self.with_password else ""
        text = TINYPROXY.format(port=self.port, folder=self.folder, password=password)
        (self.folder / "tinyproxy.conf").write_text(text, "utf-8")
        return [self.program, "-d", "-c", str(self.folder / "tinyproxy.conf")]

    def seen(self) -> "list[str]":
        # Request (file descriptor 5): CONNECT 127.0.0.1:8080 HTTP/1.1
        marks = (
            line.partition("Request (file descriptor ") for line in lines_of(self, "tinyproxy")
        )
        return [" ".join(rest.split()[1:3]) for _, _, rest in marks if rest]


class Microsocks(ForwardProxy):
    name = "microsocks"
    scheme = "socks5"

    def command(self) -> "list[str]":
        password = ["-u", USER, "-P", PASSWORD] if self.with_password else []
        return [self.program, "-i", "127.0.0.1", "-p", str(self.port), *password]

    def seen(self) -> "list[str]":
        # client[5] 127.0.0.1: connected to 127.0.0.1:8080
        marks = (line.partition(": connected to ") for line in lines_of(self, "output"))
        return [f"CONNECT {target}" for _, _, target in marks if target]


class Dante(ForwardProxy):
    """dante without a password: with one, it asks for users of the system."""

    name = "danted"
    scheme = "socks5"

    def command(self) -> "list[str]":
        assert not self.with_password
        user = "user.privileged: root" if IS_ROOT else ""
        text = DANTE.format(port=self.port, folder=self.folder, user=user)
        (self.folder / "danted.conf").write_text(text, "utf-8")
        configuration = ["-f", str(self.folder / "danted.conf")]
        return [self.program, *configuration, "-p", str(self.folder / "danted.pid")]

    def seen(self) -> "list[str]":
        # ...: pass(1): tcp/connect [: 127.0.0.1.4711 127.0.0.1.1080 -> 127.0.0.1.4712 127.0.0.1.80
        found = []
        for line in lines_of(self, "danted"):
            if "tcp/connect [" in line:
                host, _, port = line.partition(" -> ")[2].split()[1].rpartition(".")
                found.append(f"CONNECT {host}:{port}")
        return found


def lines_of(program: Program, name: str) -> "list[str]":
    """Return the whole lines of a log file."""
    return program.log(f"{name}.log").rpartition("\n")[0].splitlines()


SQUID = """\
{listen} 127.0.0.1:{port}{certificate}
{user}
visible_hostname localhost
pid_filename none
access_log stdio:{folder}/access.log
cache_log {folder}/cache.log
coredump_dir {folder}
icon_directory {share}/icons
error_directory {errors}
mime_table {mime}
cache deny all
netdb_filename none
pinger_enable off
unlinkd_program /bin/true
logfile_daemon /bin/true
max_filedescriptors 1024
# They would stay open in the process of the tests, which looks for what is left open.
server_persistent_connections off
# If these tests are killed, it ends by itself.
shutdown_lifetime 1 second
forwarded_for off
acl forbidden port {forbidden}
http_access deny forbidden
{password}
http_access allow all
"""

SQUID_PASSWORD = """\
auth_param basic program /bin/sh {folder}/passwords.sh
auth_param basic children 1
auth_param basic realm peers
acl known proxy_auth REQUIRED
http_access deny !known
"""

HELPER = """\
while read -r line; do
    if [ "$line" = "{secret}" ]; then echo OK; else echo ERR; fi
done
"""

TINYPROXY = """\
Port {port}
Listen 127.0.0.1
Timeout 30
LogFile "{folder}/tinyproxy.log"
LogLevel Connect
PidFile "{folder}/tinyproxy.pid"
MaxClients 50
Allow 127.0.0.1
{password}
"""

DANTE = """\
logoutput: {folder}/danted.log
internal: 127.0.0.1 port = {port}
external: 127.0.0.1
{user}
clientmethod: none
socksmethod: none
client pass {{ from: 127.0.0.0/8 to: 0.0.0.0/0 }}
socks pass {{ from: 127.0.0.0/8 to: 0.0.0.0/0 log: connect }}
"""
