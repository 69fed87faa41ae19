"""What type checkers must say about injected clients of httpx and httpx2. Checked, never run.

As in `api.py`: a `type: ignore` is a negative case.
"""

import httpx
import httpx2

from meshapi import AsyncMeshAPI, MeshAPI


def both_libraries_are_taken() -> None:
    MeshAPI(httpx_client=httpx.Client())
    MeshAPI(httpx_client=httpx2.Client())
    MeshAPI(httpx_client=None)
    AsyncMeshAPI(async_httpx_client=httpx.AsyncClient())
    AsyncMeshAPI(async_httpx_client=httpx2.AsyncClient())
    AsyncMeshAPI(async_httpx_client=None)


def another_kind_is_refused() -> None:
    MeshAPI(httpx_client=httpx.AsyncClient())  # type: ignore[arg-type]
    MeshAPI(httpx_client=httpx2.AsyncClient())  # type: ignore[arg-type]
    MeshAPI(httpx_client=httpx.Client)  # type: ignore[arg-type]
    MeshAPI(httpx_client="httpx")  # type: ignore[arg-type]
    AsyncMeshAPI(async_httpx_client=httpx.Client())  # type: ignore[arg-type]
    AsyncMeshAPI(async_httpx_client=httpx2.Client())  # type: ignore[arg-type]
    AsyncMeshAPI(httpx_client=httpx.Client())  # type: ignore[arg-type]
