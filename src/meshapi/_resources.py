"""The resources of both clients; all but chat are loaded when they are first used."""

from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Generic

from meshapi_core import endpoints
from meshapi_core.endpoints import AsyncRunner, Chat, R_co, Runner

if TYPE_CHECKING:
    from meshapi_core.endpoints import Audio, Moderations, Rag, Router, Videos, Web


class Resources(Generic[R_co]):
    """The resources of a client, each of which makes its calls with the client's runner."""

    _runner: R_co

    @cached_property
    def chat(self) -> Chat[R_co]:
        """Chat completions."""
        return Chat(self._runner)

    @cached_property
    def responses(self) -> "endpoints.Responses[R_co]":
        """The Responses API, for reasoning models, tools and work in the background."""
        return endpoints.Responses(self._runner)

    @cached_property
    def embeddings(self) -> "endpoints.Embeddings[R_co]":
        """Embedding vectors of texts and images."""
        return endpoints.Embeddings(self._runner)

    @cached_property
    def images(self) -> "endpoints.Images[R_co]":
        """Images from a prompt, and edits of images."""
        return endpoints.Images(self._runner)

    @cached_property
    def videos(self) -> "endpoints.Videos[R_co]":
        """Videos from a prompt, as jobs: start one, then wait for it."""
        return endpoints.Videos(self._runner)

    @cached_property
    def audio(self) -> "endpoints.Audio[R_co]":
        """Speech from text, text from speech, and the available voices."""
        return endpoints.Audio(self._runner)

    @cached_property
    def compare(self) -> "endpoints.Compare[R_co]":
        """The same question to several models, side by side."""
        return endpoints.Compare(self._runner)

    @cached_property
    def files(self) -> "endpoints.Files[R_co]":
        """The input and output files of batches."""
        return endpoints.Files(self._runner)

    @cached_property
    def batches(self) -> "endpoints.Batches[R_co]":
        """Many requests at once, at a lower price, completed within a day."""
        return endpoints.Batches(self._runner)

    @cached_property
    def models(self) -> "endpoints.Models[R_co]":
        """The catalogue of models."""
        return endpoints.Models(self._runner)

    @cached_property
    def templates(self) -> "endpoints.Templates[R_co]":
        """Prompts that the gateway stores."""
        return endpoints.Templates(self._runner)

    @cached_property
    def rag(self) -> "endpoints.Rag[R_co]":
        """Documents that you upload, embed and search."""
        return endpoints.Rag(self._runner)

    @cached_property
    def documents(self) -> "endpoints.Documents[R_co]":
        """Documents (PDF, DOCX, ...) from a description."""
        return endpoints.Documents(self._runner)

    @cached_property
    def moderations(self) -> "endpoints.Moderations[R_co]":
        """Whether a text or an image is harmful."""
        return endpoints.Moderations(self._runner)

    @cached_property
    def web(self) -> "endpoints.Web[R_co]":
        """Web search."""
        return endpoints.Web(self._runner)

    @cached_property
    def router(self) -> "endpoints.Router[R_co]":
        """Which model the gateway would choose for a conversation."""
        return endpoints.Router(self._runner)

    @cached_property
    def balance(self) -> "endpoints.Balance[R_co]":
        """The balance of the account."""
        return endpoints.Balance(self._runner)

    @cached_property
    def usage(self) -> "endpoints.Usage[R_co]":
        """How much was spent, and on what."""
        return endpoints.Usage(self._runner)

    @cached_property
    def api_versions(self) -> "endpoints.APIVersions[R_co]":
        """The versions of the API that the gateway serves."""
        return endpoints.APIVersions(self._runner)


_PREFIXES: Final[dict[str, Any]] = {"Async": AsyncRunner, "": Runner}
_ALIASED: Final = ("Audio", "Moderations", "Rag", "Router", "Videos", "Web")
"""Resources that the official SDK exports, as `VideosResource` and `AsyncVideosResource`."""


def __getattr__(name: str) -> Any:
    """The class behind a name that the official SDK exports."""
    for prefix, runner in _PREFIXES.items():
        for group in _ALIASED:
            if name == f"{prefix}{group}Resource":
                return getattr(endpoints, group)[runner]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


if TYPE_CHECKING:
    AsyncAudioResource = Audio[AsyncRunner]
    AsyncModerationsResource = Moderations[AsyncRunner]
    AsyncRagResource = Rag[AsyncRunner]
    AsyncRouterResource = Router[AsyncRunner]
    AsyncVideosResource = Videos[AsyncRunner]
    AsyncWebResource = Web[AsyncRunner]
    AudioResource = Audio[Runner]
    ModerationsResource = Moderations[Runner]
    RagResource = Rag[Runner]
    RouterResource = Router[Runner]
    VideosResource = Videos[Runner]
    WebResource = Web[Runner]
