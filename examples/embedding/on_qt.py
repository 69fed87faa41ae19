"""Calls through Qt's QNetworkAccessManager (PySide6).

It waits in a nested event loop, like `QDialog.exec`, so windows stay responsive.
"""

import sys
from collections.abc import Generator
from time import monotonic
from typing import Optional, TypeVar

from PySide6.QtCore import QCoreApplication, QEventLoop, QTimer, QUrl
from PySide6.QtNetwork import QNetworkAccessManager, QNetworkReply, QNetworkRequest

from meshapi_core import (
    Abort,
    ClientCall,
    Finished,
    Item,
    OpenFiles,
    ReadBody,
    SendRequest,
    Sleep,
)
from table import play

T = TypeVar("T")

STATUS = QNetworkRequest.Attribute.HttpStatusCodeAttribute


def drive(call: ClientCall[T], manager: QNetworkAccessManager) -> Generator[T, None, None]:
    """Yield the items of a call. To stop early, close the generator."""
    reply: Optional[QNetworkReply] = None
    try:
        while not isinstance(action := call.next_action(monotonic()), Finished):
            if isinstance(action, Item):
                yield action.value
            elif isinstance(action, OpenFiles):
                raise NotImplementedError("nothing is uploaded here")
            elif isinstance(action, Abort) and reply:
                reply.abort()
            elif isinstance(action, SendRequest):
                reply = send(action, manager)
                wait(action.seconds(monotonic(), never=1e6), reply)
                if status := reply.attribute(STATUS):
                    fields = [(name.data(), value.data()) for name, value in reply.rawHeaderPairs()]
                    call.receive_head(status, fields, monotonic())
                else:
                    is_late = not reply.isFinished()
                    exc = TimeoutError() if is_late else OSError(reply.error(), reply.errorString())
                    call.fail(exc, monotonic())
            elif isinstance(action, Sleep):
                wait(action.seconds(monotonic()))
            elif isinstance(action, ReadBody) and reply:
                if not reply.bytesAvailable() and not reply.isFinished():
                    wait(action.seconds(monotonic(), never=1e6), reply)
                data = reply.read(65536).data()
                if not data and 0 < reply.error().value < 200:  # above: the status says it
                    call.fail(OSError(reply.error(), reply.errorString()), monotonic())
                elif data or reply.isFinished():
                    call.receive_body(data, monotonic())
                call.handle_timer(monotonic())
    finally:
        if reply:
            reply.abort()


def send(action: SendRequest, manager: QNetworkAccessManager) -> QNetworkReply:
    request, content = QNetworkRequest(QUrl(action.request.plain_url)), action.content
    for name, value in (*action.request.raw_headers, (b"accept-encoding", b"identity")):
        request.setRawHeader(name, value)
    body = content if isinstance(content, bytes) else b"".join(content)
    reply = manager.sendCustomRequest(request, action.request.method.encode(), body)
    reply.setReadBufferSize(65536)
    return reply


def wait(seconds: float, reply: Optional[QNetworkReply] = None) -> None:
    """Run the event loop until the reply has news, or the time is over."""
    loop = QEventLoop()
    QTimer.singleShot(int(seconds * 1000) + 1, loop, loop.quit)
    for signal in (reply.metaDataChanged, reply.readyRead, reply.finished) if reply else ():
        signal.connect(loop.quit)
    loop.exec()


# The demonstration.

if __name__ == "__main__":
    app = QCoreApplication(sys.argv)
    manager = QNetworkAccessManager(app)
    manager.setRedirectPolicy(QNetworkRequest.RedirectPolicy.ManualRedirectPolicy)
    play("Qt", lambda case: drive(case.client_call(), manager))
