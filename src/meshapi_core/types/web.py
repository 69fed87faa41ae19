"""Web search.

Source: MeshAPI web search, https://developers.meshapi.ai/docs
"""

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal, Optional

import msgspec
from typing_extensions import TypedDict

from meshapi_core.codec.decoding_rules import DecodingRules
from meshapi_core.types._base import Params, Record, ResponseModel, always
from meshapi_core.types._open import Open

__all__ = ["WebSearchFields", "WebSearchParams", "WebSearchResponse", "WebSearchResultItem"]

SearchProvider = Literal["native", "tavily", "tinyfish"]
SearchDepth = Literal["basic", "advanced"]


class WebSearchParams(Params, kw_only=True):
    """The parameters of one search; `query` is the only required one.

    Fields:
        query: 1 to 2,000 characters.
        max_results: 1 to 20; always sent, 5 by default.
        search_depth: always sent.
        include_domains, exclude_domains: where alone to look, and where not.
        include_answer: True for a response that sums the results up; always sent.
        include_page_content: True for the text of the pages, too.
    """

    query: Annotated[str, msgspec.Meta(min_length=1, max_length=2000)]
    model: Optional[str] = None
    provider: Optional[Open[SearchProvider]] = None
    max_results: Annotated[int, msgspec.Meta(ge=1, le=20)] = always(5)
    search_depth: Open[SearchDepth] = always("basic")
    include_domains: Optional[list[str]] = None
    exclude_domains: Optional[list[str]] = None
    include_answer: bool = always(False)
    include_page_content: Optional[bool] = None


class WebSearchFields(TypedDict, total=False):
    """The fields of `WebSearchParams` as keywords."""

    query: str
    model: Optional[str]
    provider: Optional[Open[SearchProvider]]
    max_results: int
    search_depth: Open[SearchDepth]
    include_domains: Optional[Sequence[str]]
    exclude_domains: Optional[Sequence[str]]
    include_answer: bool
    include_page_content: Optional[bool]


class WebSearchResultItem(Record, kw_only=True):
    """One page that was found.

    Fields:
        content: the part of it that matters.
        score: how well it fits, in the provider's measure.
        published_date: as the page has it.
        page_content: all of its text, where that was asked for and can be had.
        page_content_truncated: whether the text goes on.
    """

    _decoding_rules: ClassVar[DecodingRules] = DecodingRules(
        prose=frozenset({"content", "page_content"})
    )

    title: str = ""
    url: str = ""
    content: str = ""
    score: Optional[float] = None
    published_date: Optional[str] = None
    page_content: Optional[str] = None
    page_content_truncated: Optional[bool] = None


class WebSearchResponse(ResponseModel, kw_only=True):
    """What was found.

    Fields:
        answer: sums the results up, where that was asked for.
        provider: who searched.
    """

    _decoding_rules: ClassVar[DecodingRules] = DecodingRules(
        essential=frozenset({"results"}), rows="results"
    )

    query: str = ""
    answer: Optional[str] = None
    results: list[WebSearchResultItem] = msgspec.field(default_factory=list)
    provider: str = ""
    request_id: str = ""
