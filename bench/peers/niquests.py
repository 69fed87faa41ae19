"""niquests, on a urllib3 of its own."""

from bench.peers.questions import HEADERS, MODEL, messages

PATH = "/v1/chat/completions"


def asked():
    return {"model": MODEL, "messages": messages()}


def session(run, kind):
    import niquests

    made = getattr(niquests, kind)(pool_connections=10, pool_maxsize=max(10, run.at_once))
    made.headers.update(HEADERS)
    made.trust_env = False
    if run.authority:
        made.verify = run.authority
    return made


class Blocking:
    def __init__(self, run):
        self.session = session(run, "Session")
        self.url = run.url + PATH

    def create(self):
        return self.session.post(self.url, json=asked()).json()


class Async:
    def __init__(self, run):
        self.session = session(run, "AsyncSession")
        self.url = run.url + PATH

    async def create(self):
        return (await self.session.post(self.url, json=asked())).json()
