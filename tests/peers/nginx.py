"""nginx as a reverse proxy before a gateway."""

from pathlib import Path
from typing import NamedTuple, Optional

from peers.programs import IS_ROOT, Program

from support.certificates import authority

TLS = "ssl_certificate {folder}/server.pem; ssl_certificate_key {folder}/server.pem;"


class Served(NamedTuple):
    """A line of the access log.

    Fields:
        client: its address.
        connection: a number for it.
        number: of the request on its connection, from 1.
        status, version: of the response, and of HTTP.
        encoding: the content coding of the response, or "-".
        line: the first line of the request.
    """

    client: str
    connection: str
    number: str
    status: str
    version: str
    encoding: str
    line: str


class Nginx(Program):
    """nginx with one server.

    Args:
        upstream: the port of the gateway.
        tls: whether it speaks TLS, with a certificate of `support.certificates`.
        http2: whether it speaks HTTP/2, too, if the client asks for it.
        server: more directives for the server; `{folder}` is the folder of its files.
        location: more directives for what is passed on.
        files: files to write into its folder: names and contents.
    """

    name = "nginx"

    def __init__(
        self,
        upstream: int,
        *,
        tls: bool = False,
        http2: bool = False,
        server: str = "",
        location: str = "proxy_buffering off;",
        files: "Optional[dict[str, bytes]]" = None,
    ) -> None:
        super().__init__()
        self._upstream = upstream
        self._tls = tls
        self._http2 = http2
        self._server = server
        self._location = location
        self._files = files or {}

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    def command(self) -> "list[str]":
        for name, content in self._files.items():
            (self.folder / name).write_bytes(content)
        if self._tls:
            write_certificate(self.folder / "server.pem")
        self.configure()
        return [self.program, "-p", str(self.folder), "-e", "error.log", "-c", "nginx.conf"]

    def configure(self, server: Optional[str] = None) -> None:
        """Write the configuration, with other directives for the server if given."""
        server = self._server if server is None else server
        tls = TLS + server if self._tls else server
        text = CONFIGURATION.format(
            user="user root;" if IS_ROOT else "",
            listen=" ssl" * self._tls + " http2" * self._http2,
            port=self.port,
            upstream=self._upstream,
            server=tls.format(folder=self.folder),
            location=self._location,
        )
        (self.folder / "nginx.conf").write_text(text, "utf-8")

    def requests(self) -> "list[Served]":
        """Return what it has served, from its log."""
        lines = self.log("access.log").rpartition("\n")[0].splitlines()
        return [Served(*line.split(" ", 6)) for line in lines]


def write_certificate(path: Path, name: str = "127.0.0.1") -> None:
    """Write a key and a certificate for a name into one file."""
    path.write_bytes(authority().issue_cert(name).private_key_and_cert_chain_pem.bytes())


# `proxy_http_version` and the two headers are what WebSockets need.
CONFIGURATION = """\
daemon off;
{user}
worker_processes 1;
pid nginx.pid;
error_log error.log info;
events {{ worker_connections 256; }}
http {{
    log_format ours '$remote_addr $connection $connection_requests $status '
                    '$server_protocol $sent_http_content_encoding $request';
    access_log access.log ours;
    client_max_body_size 64m;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    map $http_upgrade $upgrade {{ default upgrade; '' close; }}
    server {{
        listen 127.0.0.1:{port}{listen};
        {server}
        location / {{
            proxy_pass http://127.0.0.1:{upstream};
            proxy_http_version 1.1;
            proxy_set_header Host $http_host;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $upgrade;
            {location}
        }}
    }}
}}
"""
