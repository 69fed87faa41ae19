"""Every group of endpoints, for both clients; each is loaded when it is first used."""

from functools import cached_property
from typing import TYPE_CHECKING, Generic

from meshapi_core import AsyncRunner, Chat, R_co, Runner

if TYPE_CHECKING:
    from meshapi_core import (
        APIVersions,
        Audio,
        Balance,
        Batches,
        Compare,
        Documents,
        Embeddings,
        Files,
        Images,
        Models,
        Moderations,
        Rag,
        Responses,
        Router,
        Templates,
        Usage,
        Videos,
        Web,
    )


class Resources(Generic[R_co]):
    """What both clients have; a client gives its runner."""

    _runner: R_co

    @cached_property
    def chat(self) -> Chat[R_co]:
        """Chat completions."""
        return Chat(self._runner)

    @cached_property
    def responses(self) -> "Responses[R_co]":
        """Responses, the API for reasoning models; also in the background."""
        from meshapi_core import Responses

        return Responses(self._runner)

    @cached_property
    def embeddings(self) -> "Embeddings[R_co]":
        """Vectors for texts and images."""
        from meshapi_core import Embeddings

        return Embeddings(self._runner)

    @cached_property
    def images(self) -> "Images[R_co]":
        """Pictures from words, and changes to pictures."""
        from meshapi_core import Images

        return Images(self._runner)

    @cached_property
    def videos(self) -> "Videos[R_co]":
        """Videos, which take a while: start one, then ask for it."""
        from meshapi_core import Videos

        return Videos(self._runner)

    @cached_property
    def audio(self) -> "Audio[R_co]":
        """Speech from text, text from speech, and the voices there are."""
        from meshapi_core import Audio

        return Audio(self._runner)

    @cached_property
    def compare(self) -> "Compare[R_co]":
        """One question to several models, side by side."""
        from meshapi_core import Compare

        return Compare(self._runner)

    @cached_property
    def files(self) -> "Files[R_co]":
        """The input and output files of batches."""
        from meshapi_core import Files

        return Files(self._runner)

    @cached_property
    def batches(self) -> "Batches[R_co]":
        """Many requests at once, at a lower price, done within a day."""
        from meshapi_core import Batches

        return Batches(self._runner)

    @cached_property
    def models(self) -> "Models[R_co]":
        """The catalogue of models."""
        from meshapi_core import Models

        return Models(self._runner)

    @cached_property
    def templates(self) -> "Templates[R_co]":
        """Prompts that the gateway keeps."""
        from meshapi_core import Templates

        return Templates(self._runner)

    @cached_property
    def rag(self) -> "Rag[R_co]":
        """Documents to search: upload, embed, search."""
        from meshapi_core import Rag

        return Rag(self._runner)

    @cached_property
    def documents(self) -> "Documents[R_co]":
        """Documents (PDF, DOCX, ...) from a description."""
        from meshapi_core import Documents

        return Documents(self._runner)

    @cached_property
    def moderations(self) -> "Moderations[R_co]":
        """Whether a text or an image is harmful."""
        from meshapi_core import Moderations

        return Moderations(self._runner)

    @cached_property
    def web(self) -> "Web[R_co]":
        """Search of the web."""
        from meshapi_core import Web

        return Web(self._runner)

    @cached_property
    def router(self) -> "Router[R_co]":
        """Which model the gateway would choose for a conversation."""
        from meshapi_core import Router

        return Router(self._runner)

    @cached_property
    def balance(self) -> "Balance[R_co]":
        """What is left on the account."""
        from meshapi_core import Balance

        return Balance(self._runner)

    @cached_property
    def usage(self) -> "Usage[R_co]":
        """What was spent, on what."""
        from meshapi_core import Usage

        return Usage(self._runner)

    @cached_property
    def api_versions(self) -> "APIVersions[R_co]":
        """The versions of the API that the gateway serves."""
        from meshapi_core import APIVersions

        return APIVersions(self._runner)


def resource_type(name: str) -> type:
    """The class behind a name of the official SDK, such as `AsyncVideosResource`."""
    import meshapi_core

    is_async = name.startswith("Async")
    group = name[len("Async") if is_async else 0 : -len("Resource")]
    kind: type = getattr(meshapi_core, group)[AsyncRunner if is_async else Runner]
    return kind
