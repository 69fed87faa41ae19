"""The servers that contenders talk to, each in a process of its own while a block lasts."""

import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).resolve().parent

KINDS = {
    # Answers by length: what is written leaves in one piece anyway, so it may be quick.
    "http": ("server.py", "--uvloop"),
    "tls": ("server.py", "--uvloop", "CERTIFICATES"),
    # Each chunk of a stream is a write of its own.
    "stream": ("server.py",),
    "bulk": ("bulk_server.py",),
    "echo": ("echo_server.py",),
    "echo-deflate": ("echo_server.py", "--deflate"),
}

MAKE_CERTIFICATES = """
import sys, trustme
authority = trustme.CA()
authority.cert_pem.write_to_path(sys.argv[1])
authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(sys.argv[2])
"""


@contextmanager
def server(name="server.py", *args, python=sys.executable):
    """Run a server; gives its port. It stops with the block, and by itself if that is killed."""
    process = subprocess.Popen(
        [python, str(HERE / name), *args],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield int(process.stdout.readline())
    finally:
        process.stdin.close()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


def certificates(folder, python=sys.executable):
    """Write an authority and a certificate for this machine; the paths of both."""
    paths = [str(Path(folder, name)) for name in ("authority.pem", "server.pem")]
    subprocess.run([python, "-c", MAKE_CERTIFICATES, *paths], check=True)
    return paths
