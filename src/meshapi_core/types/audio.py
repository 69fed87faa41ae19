"""Speech from text, text from speech, and voices.

Which parameters have an effect depends on the provider that serves the model.

Source: MeshAPI audio, https://developers.meshapi.ai/docs
"""

from collections.abc import ItemsView, Iterator, KeysView, Mapping, Sequence, ValuesView
from typing import Annotated, Any, ClassVar, Optional, Union

import msgspec
from typing_extensions import TypedDict

from meshapi_core._json_kinds import is_object
from meshapi_core.codec.decoding_rules import DecodingRules
from meshapi_core.types._base import Params, Record, ResponseModel
from meshapi_core.types._pages import Paged, after_cursor, source_of

__all__ = [
    "AudioTranslationsFields",
    "AudioTranslationsParams",
    "ListVoicesFields",
    "ListVoicesParams",
    "PronunciationDictionaryLocator",
    "SpeechFields",
    "SpeechParams",
    "TranscriptionFields",
    "TranscriptionParams",
    "TranscriptionResponse",
    "TranscriptionTranslateFields",
    "TranscriptionTranslateParams",
    "Voice",
    "VoiceSettings",
    "VoicesResponse",
]


class VoiceSettings(Record, kw_only=True):
    """How a voice speaks.

    Fields:
        stability, similarity_boost, style: 0 to 1.
        speed: a factor; 1 is the voice's own speed.
    """

    stability: Optional[float] = None
    similarity_boost: Optional[float] = None
    style: Optional[float] = None
    use_speaker_boost: Optional[bool] = None
    speed: Optional[float] = None


class PronunciationDictionaryLocator(Record, kw_only=True):
    """A pronunciation dictionary that the provider stores."""

    pronunciation_dictionary_id: str
    version_id: str


class SpeechParams(Params, kw_only=True):
    """The parameters of `audio.synthesize`; only `input` is required.

    Fields:
        input: the text to speak.
        voice: a voice ID from `audio.list_voices`; some models take `speaker` instead.
        stream: whether the gateway sends the audio while it is generated (the default); formats
            named `wav_...` need False.
        response_format: such as "mp3", "wav" or "pcm_16000"; the choice depends on the provider.
        previous_text, next_text, previous_request_ids, next_request_ids: what is spoken before
            and after, so that the parts of a longer text fit together.
        speech_sample_rate: in samples per second.
        pitch, pace, loudness, enable_preprocessing, target_language_code: for models that take
            `speaker`.
    """

    input: str
    model: Optional[str] = None
    voice: Optional[str] = None
    stream: Optional[bool] = None
    response_format: Optional[str] = None
    language_code: Optional[str] = None
    voice_settings: Optional[VoiceSettings] = None
    pronunciation_dictionary_locators: Optional[list[PronunciationDictionaryLocator]] = None
    seed: Optional[int] = None
    previous_text: Optional[str] = None
    next_text: Optional[str] = None
    previous_request_ids: Optional[list[str]] = None
    next_request_ids: Optional[list[str]] = None
    apply_text_normalization: Optional[str] = None
    apply_language_text_normalization: Optional[bool] = None
    use_pvc_as_ivc: Optional[bool] = None
    enable_logging: Optional[bool] = None
    optimize_streaming_latency: Optional[int] = None
    speaker: Optional[str] = None
    target_language_code: Optional[str] = None
    pitch: Optional[float] = None
    pace: Optional[float] = None
    loudness: Optional[float] = None
    speech_sample_rate: Optional[int] = None
    enable_preprocessing: Optional[bool] = None


class SpeechFields(TypedDict, total=False):
    """The fields of `SpeechParams` as keyword arguments; methods have their own `stream`."""

    input: str
    model: Optional[str]
    voice: Optional[str]
    response_format: Optional[str]
    language_code: Optional[str]
    voice_settings: Optional[Union[VoiceSettings, Mapping[str, Any]]]
    pronunciation_dictionary_locators: Optional[
        Sequence[Union[PronunciationDictionaryLocator, Mapping[str, Any]]]
    ]
    seed: Optional[int]
    previous_text: Optional[str]
    next_text: Optional[str]
    previous_request_ids: Optional[Sequence[str]]
    next_request_ids: Optional[Sequence[str]]
    apply_text_normalization: Optional[str]
    apply_language_text_normalization: Optional[bool]
    use_pvc_as_ivc: Optional[bool]
    enable_logging: Optional[bool]
    optimize_streaming_latency: Optional[int]
    speaker: Optional[str]
    target_language_code: Optional[str]
    pitch: Optional[float]
    pace: Optional[float]
    loudness: Optional[float]
    speech_sample_rate: Optional[int]
    enable_preprocessing: Optional[bool]


class TranscriptionParams(Params, kw_only=True):
    """The parameters of `audio.transcribe`; only `model` is required.

    Fields:
        response_format: "json" (the default), "verbose_json" for words with their times, "text",
            "srt" or "vtt"; the choice depends on the provider.
        source_url, cloud_storage_url: where the audio is, in place of a file.
        num_speakers, diarize, diarization_threshold, detect_speaker_roles: tell speakers apart.
        additional_formats: JSON text that names further formats for the response to include.
        webhook, webhook_id, webhook_metadata: respond at once with an acknowledgement, and send
            the text to the webhook later.
        entity_detection, entity_redaction, entity_redaction_mode: find or redact names, numbers
            and the like.
        keyterms: words that are likely to be spoken.
    """

    model: str
    response_format: Optional[str] = None
    language_code: Optional[str] = None
    tag_audio_events: Optional[bool] = None
    num_speakers: Optional[int] = None
    timestamps_granularity: Optional[str] = None
    diarize: Optional[bool] = None
    diarization_threshold: Optional[float] = None
    additional_formats: Optional[str] = None
    file_format: Optional[str] = None
    cloud_storage_url: Optional[str] = None
    source_url: Optional[str] = None
    webhook: Optional[bool] = None
    webhook_id: Optional[str] = None
    temperature: Optional[float] = None
    seed: Optional[int] = None
    use_multi_channel: Optional[bool] = None
    webhook_metadata: Optional[str] = None
    entity_detection: Optional[str] = None
    no_verbatim: Optional[bool] = None
    detect_speaker_roles: Optional[bool] = None
    entity_redaction: Optional[str] = None
    entity_redaction_mode: Optional[str] = None
    keyterms: Optional[list[str]] = None
    with_timestamps: Optional[bool] = None
    debug_mode: Optional[bool] = None


class TranscriptionFields(TypedDict, total=False):
    """The fields of `TranscriptionParams` as keyword arguments."""

    model: str
    response_format: Optional[str]
    language_code: Optional[str]
    tag_audio_events: Optional[bool]
    num_speakers: Optional[int]
    timestamps_granularity: Optional[str]
    diarize: Optional[bool]
    diarization_threshold: Optional[float]
    additional_formats: Optional[str]
    file_format: Optional[str]
    cloud_storage_url: Optional[str]
    source_url: Optional[str]
    webhook: Optional[bool]
    webhook_id: Optional[str]
    temperature: Optional[float]
    seed: Optional[int]
    use_multi_channel: Optional[bool]
    webhook_metadata: Optional[str]
    entity_detection: Optional[str]
    no_verbatim: Optional[bool]
    detect_speaker_roles: Optional[bool]
    entity_redaction: Optional[str]
    entity_redaction_mode: Optional[str]
    keyterms: Optional[Sequence[str]]
    with_timestamps: Optional[bool]
    debug_mode: Optional[bool]


class TranscriptionTranslateParams(Params, kw_only=True):
    """The parameters of `audio.translate`.

    Fields:
        prompt: text that guides style and vocabulary.
    """

    model: Optional[str] = None
    prompt: Optional[str] = None


class TranscriptionTranslateFields(TypedDict, total=False):
    """The fields of `TranscriptionTranslateParams` as keyword arguments."""

    model: Optional[str]
    prompt: Optional[str]


class AudioTranslationsParams(Params, kw_only=True):
    """The parameters of `audio.audio_translate`; only `model` is required.

    Fields:
        prompt: text that guides style and vocabulary.
        response_format: "json" (the default), "verbose_json" or "text".
        temperature: 0 to 2.
    """

    model: str
    prompt: Optional[str] = None
    response_format: Optional[str] = None
    temperature: Optional[Annotated[float, msgspec.Meta(ge=0.0, le=2.0)]] = None


class AudioTranslationsFields(TypedDict, total=False):
    """The fields of `AudioTranslationsParams` as keyword arguments."""

    model: str
    prompt: Optional[str]
    response_format: Optional[str]
    temperature: Optional[float]


class TranscriptionResponse(ResponseModel, kw_only=True):
    """The text of a recording; or, with a webhook, the acknowledgement that it will be sent there.

    It can also be read like the dict that the server sent: `response["words"]`, `dict(response)`.

    Fields:
        text: the whole text; "" in an acknowledgement. For a response in another format (srt,
            vtt), its body unchanged.
        words, segments: parts with their times in seconds, in the provider's form.
        language, language_code: the language spoken; the provider fills one of the two.
        language_probability: 0 to 1.
        duration: length of the audio in seconds.
        transcription_id: for `audio.get_transcription`.
        message, request_id: of an acknowledgement.
    """

    _decoding_rules: ClassVar[DecodingRules] = DecodingRules(prose=frozenset({"text"}))

    text: str = ""
    words: Optional[list[dict[str, Any]]] = None
    segments: Optional[list[dict[str, Any]]] = None
    language: Optional[str] = None
    language_code: Optional[str] = None
    language_probability: Optional[float] = None
    duration: Optional[float] = None
    transcription_id: Optional[str] = None
    message: Optional[str] = None
    request_id: Optional[str] = None

    # For programs written when the response was a plain dict.

    def __getitem__(self, name: str) -> Any:
        return self._items()[name]

    def __contains__(self, name: object) -> bool:
        return name in self._items()

    def __iter__(self) -> Iterator[str]:
        return iter(self._items())

    def get(self, name: str, default: Any = None) -> Any:
        """Return the field of this name as the server sent it, or the default."""
        return self._items().get(name, default)

    def keys(self) -> KeysView[str]:
        """Return the names of the fields that the server sent."""
        return self._items().keys()

    def values(self) -> ValuesView[Any]:
        """Return the values of the fields that the server sent."""
        return self._items().values()

    def items(self) -> ItemsView[str, Any]:
        """Return the names and values of the fields that the server sent."""
        return self._items().items()

    def _items(self) -> dict[str, Any]:
        sent = self.raw
        if is_object(sent):
            return sent
        # Made from a text response, or by the caller.
        return {"text": self.text, **self.model_dump(exclude_defaults=True)}


class ListVoicesParams(Params, kw_only=True):
    """The parameters of `audio.list_voices`; none is required.

    Fields:
        brand, model: only voices of this brand's models, or of this model.
        search: part of an ID or a name.
        next_page_token, page_size, sort, sort_direction, voice_type, category,
            include_total_count, voice_ids: understood by older gateways only.
    """

    brand: Optional[str] = None
    model: Optional[str] = None
    search: Optional[str] = None
    next_page_token: Optional[str] = None
    page_size: Optional[int] = None
    sort: Optional[str] = None
    sort_direction: Optional[str] = None
    voice_type: Optional[str] = None
    category: Optional[str] = None
    include_total_count: Optional[bool] = None
    voice_ids: Optional[list[str]] = None


class ListVoicesFields(TypedDict, total=False):
    """The fields of `ListVoicesParams` as keyword arguments."""

    brand: Optional[str]
    model: Optional[str]
    search: Optional[str]
    next_page_token: Optional[str]
    page_size: Optional[int]
    sort: Optional[str]
    sort_direction: Optional[str]
    voice_type: Optional[str]
    category: Optional[str]
    include_total_count: Optional[bool]
    voice_ids: Optional[Sequence[str]]


class Voice(ResponseModel, kw_only=True):
    """A voice to speak with.

    Fields:
        voice_id: for `SpeechParams.voice`.
        preview_url: where a sample of it can be heard.
        labels: such as accent, age and gender.
    """

    voice_id: str = ""
    name: str = ""
    category: Optional[str] = None
    description: Optional[str] = None
    preview_url: Optional[str] = None
    labels: dict[str, Any] = msgspec.field(default_factory=dict)


class VoicesResponse(ResponseModel, Paged[Voice], kw_only=True):
    """The available voices.

    Fields:
        count: number of voices in this response.
        truncated: whether there are more voices than these.
        has_more, total_count, next_page_token: the same, from older gateways.
    """

    _decoding_rules: ClassVar[DecodingRules] = DecodingRules(rows="voices")

    voices: list[Voice] = msgspec.field(default_factory=list)
    count: Optional[int] = None
    truncated: Optional[bool] = None
    has_more: Optional[bool] = None
    total_count: Optional[int] = None
    next_page_token: Optional[str] = None

    def _rows(self) -> list[Voice]:
        return self.voices

    def _next_call(self, call: Any) -> Any:
        token = self.next_page_token
        more = bool(token) if self.has_more is None else self.has_more
        return after_cursor(call, "next_page_token", token, more)

    def _count(self) -> Optional[int]:
        source = source_of(self)
        is_first = source is None or "next_page_token" not in dict(source.call.query)
        return self.total_count if is_first else None
