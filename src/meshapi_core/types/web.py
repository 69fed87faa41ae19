"""Web search: requests and responses.

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
    """The parameters of `web.search`; only `query` is required.

    Fields:
        query: 1 to 2,000 characters.
        max_results: 1 to 20; 5 by default; always sent.
        search_depth: "basic" by default; always sent.
        include_domains, exclude_domains: search only these domains, and not those.
        include_answer: True to get an answer that sums up the results; always sent.
        include_page_content: True to get the text of the pages, too.
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
    """The fields of `WebSearchParams` as keyword arguments."""

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
        content: the relevant part of the page.
        score: how well the page fits, on the provider's scale.
        published_date: as stated on the page.
        page_content: the text of the page, if it was asked for and is available.
        page_content_truncated: whether `page_content` was cut off.
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
    """The results of a web search.

    Fields:
        answer: sums up the results, if that was asked for.
        provider: the search provider that found them.
    """

    _decoding_rules: ClassVar[DecodingRules] = DecodingRules(
        essential=frozenset({"results"}), rows="results"
    )

    query: str = ""
    answer: Optional[str] = None
    results: list[WebSearchResultItem] = msgspec.field(default_factory=list)
    provider: str = ""
    request_id: str = ""
