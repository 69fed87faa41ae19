"""httpcore: a pool and nothing above it; httpcore2 is used in the same way."""

import importlib
import json

from bench.peers.questions import HEADERS, body

PATH = "/v1/chat/completions"


def fields():
    return [(name.encode(), value.encode()) for name, value in HEADERS.items()]


def pool(run, kind):
    return getattr(importlib.import_module(run.peer), kind)(
        ssl_context=run.ssl_context(),
        max_connections=run.at_once,
        max_keepalive_connections=run.at_once,
        keepalive_expiry=600,
    )


class Blocking:
    def __init__(self, run):
        self.pool = pool(run, "ConnectionPool")
        self.url = run.url + PATH

    def create(self):
        response = self.pool.request("POST", self.url, headers=fields(), content=body())
        return json.loads(response.content)


class Async:
    def __init__(self, run):
        self.pool = pool(run, "AsyncConnectionPool")
        self.url = run.url + PATH

    async def create(self):
        response = await self.pool.request("POST", self.url, headers=fields(), content=body())
        return json.loads(response.content)
