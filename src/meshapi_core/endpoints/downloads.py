"""Downloads of files that other servers keep: images, videos, documents.

A response has only the URL of such a file, which usually grants access for some hours.
"""

from typing import Any, Optional

from meshapi_core._secret import SecretURL
from meshapi_core.endpoints._descriptor import R_co, Resource, flow_endpoint
from meshapi_core.flows.downloads import FilePath, SavedFile, Target, save_url
from meshapi_core.flows.steps import Flow
from meshapi_core.progress import OnProgress

__all__ = ["Downloads"]


class Downloads(Resource[R_co]):
    """Files behind URLs."""

    @flow_endpoint
    def download(
        self,
        url: Optional[str],
        path: FilePath,
        *,
        overwrite: bool = True,
        on_progress: Optional[OnProgress] = None,
        progress: bool = False,
    ) -> Flow[SavedFile]:
        """Save the file behind a URL, and return its path and size: see `MeshAPI.download`."""
        return (yield from save_url(url, Target(path, overwrite, on_progress, progress)))

    @staticmethod
    def hidden(url: Optional[str]) -> Optional[str]:
        """Return the URL in a form whose query no repr shows."""
        # For callers without a type checker.
        given: Any = url
        return SecretURL(url) if isinstance(given, str) else url
