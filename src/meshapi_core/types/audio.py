"""Speech from text, text from speech, and the voices there are.

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
        speed: 1 is the voice's own.
    """

    stability: Optional[float] = None
    similarity_boost: Optional[float] = None
    style: Optional[float] = None
    use_speaker_boost: Optional[bool] = None
    speed: Optional[float] = None


class PronunciationDictionaryLocator(Record, kw_only=True):
    """A pronunciation dictionary that the provider keeps."""

    pronunciation_dictionary_id: str
    version_id: str


class SpeechParams(Params, kw_only=True):
    """The parameters of one synthesis; `input` is the only required one.

    Fields:
        input: the text to be spoken.
        voice: an id of `list_voices`; some models want `speaker` instead.
        stream: whether the gateway sends the audio while it is made (it does by default); the
            formats named `wav_...` need False.
        response_format: such as "mp3", "wav" or "pcm_16000"; the provider decides which there are.
        previous_text, next_text, previous_request_ids, next_request_ids: what is spoken before
            and after, so that the pieces of a longer text fit together.
        speech_sample_rate: samples for each second.
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
    """The fields of `SpeechParams` as keywords, without `stream`, which the methods take."""

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
    """The parameters of one transcription; `model` is the only required one.

    Fields:
        response_format: "json" (by default), "verbose_json" for the words with their times,
            "text", "srt", "vtt"; the provider decides which there are.
        source_url, cloud_storage_url: where the audio is, instead of a file.
        num_speakers, diarize, diarization_threshold, detect_speaker_roles: who speaks when.
        additional_formats: JSON text: the formats that the response shall have, too.
        webhook, webhook_id, webhook_metadata: answer at once, and send the text there later.
        entity_detection, entity_redaction, entity_redaction_mode: find or blot out names,
            numbers and the like.
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
    """The fields of `TranscriptionParams` as keywords."""

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
        prompt: text that sets style and vocabulary.
    """

    model: Optional[str] = None
    prompt: Optional[str] = None


class TranscriptionTranslateFields(TypedDict, total=False):
    """The fields of `TranscriptionTranslateParams` as keywords."""

    model: Optional[str]
    prompt: Optional[str]


class AudioTranslationsParams(Params, kw_only=True):
    """The parameters of `audio.audio_translate`; `model` is the only required one.

    Fields:
        prompt: text that sets style and vocabulary.
        response_format: "json" (by default), "verbose_json" or "text".
    """

    model: str
    prompt: Optional[str] = None
    response_format: Optional[str] = None
    temperature: Optional[Annotated[float, msgspec.Meta(ge=0.0, le=2.0)]] = None


class AudioTranslationsFields(TypedDict, total=False):
    """The fields of `AudioTranslationsParams` as keywords."""

    model: str
    prompt: Optional[str]
    response_format: Optional[str]
    temperature: Optional[float]


class TranscriptionResponse(ResponseModel, kw_only=True):
    """What was said; or, with a webhook, that it will be sent there.

    It can also be read like the dict that the server sent: `answer["words"]`, `dict(answer)`.

    Fields:
        text: all of it; "" where the response is the acknowledgement of a webhook. Of responses in
            another format (srt, vtt) it is their text as it came.
        words, segments: pieces with their times in seconds; their form is the provider's.
        language, language_code: what was spoken; the provider fills one of them.
        language_probability: 0 to 1.
        duration: of the audio, in seconds.
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

    # Programs that were written when this was a plain dict still work.

    def __getitem__(self, name: str) -> Any:
        return self._items()[name]

    def __contains__(self, name: object) -> bool:
        return name in self._items()

    def __iter__(self) -> Iterator[str]:
        return iter(self._items())

    def get(self, name: str, default: Any = None) -> Any:
        """The field of this name as the server sent it, or the default."""
        return self._items().get(name, default)

    def keys(self) -> KeysView[str]:
        """The names of what the server sent."""
        return self._items().keys()

    def values(self) -> ValuesView[Any]:
        """The values of what the server sent."""
        return self._items().values()

    def items(self) -> ItemsView[str, Any]:
        """The names and values of what the server sent."""
        return self._items().items()

    def _items(self) -> dict[str, Any]:
        sent = self.raw
        if is_object(sent):
            return sent
        # Made from text, or by hand.
        return {"text": self.text, **self.model_dump(exclude_defaults=True)}


class ListVoicesParams(Params, kw_only=True):
    """Which voices to list.

    Fields:
        brand, model: of the models that can speak with them.
        search: part of an id or a name.
        next_page_token, page_size, sort, sort_direction, voice_type, category,
            include_total_count, voice_ids: understood by older gateways.
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
    """The fields of `ListVoicesParams` as keywords."""

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
        preview_url: where it can be heard.
        labels: such as accent, age and gender.
    """

    voice_id: str = ""
    name: str = ""
    category: Optional[str] = None
    description: Optional[str] = None
    preview_url: Optional[str] = None
    labels: dict[str, Any] = msgspec.field(default_factory=dict)


class VoicesResponse(ResponseModel, kw_only=True):
    """The voices there are.

    Fields:
        count: number of voices in this response.
        truncated: whether there are more.
        has_more, total_count, next_page_token: the same from older gateways.
    """

    _decoding_rules: ClassVar[DecodingRules] = DecodingRules(rows="voices")

    voices: list[Voice] = msgspec.field(default_factory=list)
    count: Optional[int] = None
    truncated: Optional[bool] = None
    has_more: Optional[bool] = None
    total_count: Optional[int] = None
    next_page_token: Optional[str] = None
