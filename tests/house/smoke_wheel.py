"""Use the installed wheel as a user would; `.ci/run` starts it where there is no `src`."""

import asyncio
import importlib.metadata
import subprocess
import sys
from pathlib import Path

import meshapi
import meshapi_backends
import meshapi_core
from meshapi.testing import LocalGateway

MODEL = "openai/gpt-4o-mini"
MESSAGES = [meshapi.ChatMessage(role="user", content="What is 2+2?")]


def check_installation() -> None:
    for package in (meshapi, meshapi_backends, meshapi_core):
        folder = Path(package.__file__).resolve().parent
        assert folder.is_relative_to(Path(sys.prefix).resolve()), folder
        assert (folder / "py.typed").exists(), folder
    assert importlib.metadata.version("meshapi") == meshapi.__version__


def blocking(url: str, token: str) -> None:
    with meshapi.MeshAPI(base_url=url, token=token) as client:
        response = client.chat.completions.create(model=MODEL, messages=MESSAGES)
        assert "4" in str(response.choices[0].message.content)
        with client.chat.completions.stream(model=MODEL, messages=MESSAGES) as stream:
            assert sum(1 for _ in stream) > 1


async def on_an_event_loop(url: str, token: str) -> None:
    async with meshapi.AsyncMeshAPI(base_url=url, token=token) as client:
        await client.chat.completions.create(model=MODEL, messages=MESSAGES)
        async with client.chat.completions.stream(model=MODEL, messages=MESSAGES) as stream:
            assert [chunk async for chunk in stream]


def main() -> None:
    check_installation()
    with LocalGateway() as gateway:
        blocking(gateway.url, gateway.token)
        asyncio.run(on_an_event_loop(gateway.url, gateway.token))
        try:
            import trio
        except ImportError:
            sys.exit("smoke_wheel: the trio extra is not installed")
        trio.run(on_an_event_loop, gateway.url, gateway.token)
    program = str(Path(sys.executable).parent / "meshapi")
    subprocess.run([program, "demo"], check=True, timeout=60)
    subprocess.run([sys.executable, "-I", "-m", "meshapi", "--help"], check=True, timeout=60)
    print(f"the wheel of meshapi {meshapi.__version__} works")


if __name__ == "__main__":
    main()
