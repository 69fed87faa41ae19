"""A server of large bodies, in a process of its own: it keeps nothing of what it gets.

Answers a GET of `/N` with N zero bytes, and any other request, once its body of a known length or
in chunks is there, with `{}`. A thread for each connection. Stops when its standard input closes.
"""

import re
import socket
import sys
import threading

PIECE = 1 << 20
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/octet-stream\r\ncontent-length: %d\r\n\r\n"
END_OF_CHUNKS = b"\r\n0\r\n\r\n"


def read_body(sock, head, rest, buffer):
    length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
    if length is not None:
        left = int(length[1]) - len(rest)
        while left > 0:
            count = sock.recv_into(buffer)
            if not count:
                return
            left -= count
    elif re.search(rb"(?i)\r\ntransfer-encoding: *chunked", head):
        # What is sent is zero bytes, so that the end cannot be in it.
        end = rest[-len(END_OF_CHUNKS) :]
        while not end.endswith(END_OF_CHUNKS):
            count = sock.recv_into(buffer)
            if not count:
                return
            end = (end + bytes(buffer[max(0, count - 8) : count]))[-len(END_OF_CHUNKS) :]


def serve(sock):
    buffer = memoryview(bytearray(PIECE))
    zeros = bytes(PIECE)
    with sock:
        while True:
            head = b""
            while b"\r\n\r\n" not in head:
                data = sock.recv(1 << 16)
                if not data:
                    return
                head += data
            head, _, rest = head.partition(b"\r\n\r\n")
            if re.search(rb"(?i)\r\nexpect: *100-continue", head):
                sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            wanted = re.match(rb"GET \S*/(\d+) ", head)
            read_body(sock, head, rest, buffer)
            if wanted is None:
                sock.sendall(HEAD % 2 + b"{}")
                continue
            left = int(wanted[1])
            sock.sendall(HEAD % left)
            while left:
                left -= sock.send(zeros[: min(left, PIECE)])


def answer(sock):
    try:
        serve(sock)
    except OSError:
        pass


def accept(listener):
    while True:
        sock, _ = listener.accept()
        threading.Thread(target=answer, args=(sock,), daemon=True).start()


if __name__ == "__main__":
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    threading.Thread(target=accept, args=(listener,), daemon=True).start()
    sys.stdin.read()
