"""Audio: speech from text, text from speech, and the available voices.

Source: https://developers.meshapi.ai/docs (audio)
"""

from collections.abc import Mapping
from typing import Any, Optional, cast

from typing_extensions import Unpack

from meshapi_core.calls import Call, StreamCall
from meshapi_core.endpoints._descriptor import (
    R_co,
    Resource,
    endpoint,
    flow_endpoint,
    stream_endpoint,
)
from meshapi_core.endpoints._lists import list_endpoint
from meshapi_core.errors import InvalidParamsError
from meshapi_core.flows.downloads import FilePath, SavedFile, Target, save_stream
from meshapi_core.flows.steps import Flow
from meshapi_core.messages import Response
from meshapi_core.multipart import FilePart, encode_form, file_part
from meshapi_core.params.encoding import encode_params
from meshapi_core.paths import path_segment
from meshapi_core.progress import OnProgress
from meshapi_core.queries import encode_query
from meshapi_core.readers import BytesReader, ByteStreamReader, JSONReader, TextReader
from meshapi_core.types._base import Params
from meshapi_core.types._file_content import FileContent
from meshapi_core.types.audio import (
    AudioTranslationsFields,
    AudioTranslationsParams,
    ListVoicesFields,
    ListVoicesParams,
    SpeechFields,
    SpeechParams,
    TranscriptionFields,
    TranscriptionParams,
    TranscriptionResponse,
    TranscriptionTranslateFields,
    TranscriptionTranslateParams,
    Voice,
    VoicesResponse,
)

__all__ = ["Audio"]

_SPEECH = "/v1/audio/speech"
_TRANSCRIPTIONS = "/v1/audio/transcriptions"
_TRANSLATIONS = "/v1/audio/translations"
_VOICES = "/v1/audio/voices"

# The file name that is sent when a file has none; providers look at the extension.
_NAMELESS = "audio.mp3"

# The parameters of a method that are not in its form.
_OF_FILES = ("file", "filename", "content_type")
_OF_SAVING = ("path", "overwrite", "on_progress", "progress")


class Speech(bytes):
    """The bytes of an audio file."""

    def _repr_html_(self) -> Optional[str]:
        from meshapi_core.types._html import player_html

        return player_html(self)


class _SpeechReader(BytesReader, frozen=True):
    def read(self, response: Response) -> bytes:
        """Return the audio. See `Reader.read`."""
        return Speech(super().read(response))


class Audio(Resource[R_co]):
    """Speech to text, and text to speech."""

    @endpoint
    def synthesize(
        self,
        params: Optional[SpeechParams] = None,
        *,
        stream: Optional[bool] = None,
        **fields: Unpack[SpeechFields],
    ) -> Call[bytes]:
        """Return text as speech, whole; `stream` returns it piece by piece.

        For example, `audio.synthesize(input="Hello", voice="...")`.

        Args:
            params: the parameters as one object, instead of keywords.
            fields: the parameters as keywords; see `SpeechParams`.
            stream: whether the gateway sends the audio while it is made: see `SpeechParams`. Either
                way, this method returns when all of it has arrived.

        Returns:
            The bytes of an audio file, in the format that `response_format` asks for. A notebook
            shows them as a player.

        Raises:
            InvalidParamsError: a parameter is missing, unknown or invalid; nothing was sent.
            MeshAPIError: as for `chat.completions.create`.
        """
        given: Mapping[str, Any] = fields if stream is None else {**fields, "stream": stream}
        body = encode_params(SpeechParams, params, given)
        return Call(method="POST", path=_SPEECH, body=body, reader=_SpeechReader(documents=False))

    @stream_endpoint
    def stream(
        self, params: Optional[SpeechParams] = None, **fields: Unpack[SpeechFields]
    ) -> StreamCall[bytes]:
        """Return text as speech, as a stream of bytes.

        Args:
            params, fields: as for `synthesize`.

        Returns:
            An iterator of bytes that is also a context manager; joined, they are what `synthesize`
            returns. A piece may end anywhere. The request is sent when the stream is entered or
            first iterated.

        Raises:
            InvalidParamsError: as for `synthesize`; raised at once.
            MeshAPIError: as for `chat.completions.create`; raised when the stream is entered or
                iterated.
            StreamInterruptedError: the stream broke off.
        """
        body = encode_params(SpeechParams, params, fields, {"stream": True}, "use synthesize()")
        return StreamCall(
            method="POST", path=_SPEECH, body=body, reader=ByteStreamReader(documents=False)
        )

    @flow_endpoint
    def synthesize_to(
        self,
        path: FilePath,
        params: Optional[SpeechParams] = None,
        *,
        stream: Optional[bool] = None,
        overwrite: bool = True,
        on_progress: Optional[OnProgress] = None,
        progress: bool = False,
        **fields: Unpack[SpeechFields],
    ) -> Flow[SavedFile]:
        """Save text as speech, while it arrives, and return the path and size of the file.

        For example, `audio.synthesize_to("hello.mp3", input="Hello", voice="...")`. All of the file
        appears at the path, or nothing does. Nothing is sent twice, as speech is billed.

        Args:
            path: where to save it. Only you can read the file. Its extension does not choose the
                format; `response_format` does.
            params, fields, stream: as for `synthesize`.
            overwrite, on_progress, progress: as for `files.download`.

        Raises:
            InvalidParamsError: as for `synthesize`.
            OSError: the file cannot be written; see `files.download`.
            MeshAPIError: as for `chat.completions.create`.
            StreamInterruptedError: the stream broke off.
        """
        given: Mapping[str, Any] = fields if stream is None else {**fields, "stream": stream}
        body = encode_params(SpeechParams, params, given, beside=_OF_SAVING)
        call = StreamCall(
            method="POST", path=_SPEECH, body=body, reader=ByteStreamReader(documents=False)
        )
        return (yield from save_stream(call, Target(path, overwrite, on_progress, progress)))

    @endpoint
    def transcribe(
        self,
        file: Optional[FileContent] = None,
        params: Optional[TranscriptionParams] = None,
        *,
        filename: Optional[str] = None,
        content_type: Optional[str] = None,
        enable_logging: Optional[bool] = None,
        **fields: Unpack[TranscriptionFields],
    ) -> Call[TranscriptionResponse]:
        """Return the words spoken in an audio file, or in one behind a URL.

        For example, `audio.transcribe("a.mp3", model="...")`.

        Args:
            file: the audio: bytes, a path, a file opened for reading bytes, or an iterable of
                bytes; or a tuple of a name, one of these, and its media type. Not needed with
                `source_url` or `cloud_storage_url`.
            params: the parameters as one object, instead of keywords.
            fields: the parameters as keywords; see `TranscriptionParams`.
            filename: the name that is sent with the file; by default its own, or "audio.mp3" if it
                has none.
            content_type: the media type of the file; by default derived from its name.
            enable_logging: whether the provider may keep the audio.

        Returns:
            The response; the text is in `.text`, and the rest depends on `response_format`. With
            `webhook=True` it is an acknowledgement without text.

        Raises:
            InvalidParamsError: neither a file nor a URL is given, or a parameter is missing,
                unknown or invalid; nothing was sent.
            MeshAPIError: as for `chat.completions.create`.
        """
        query = encode_query(_TranscriptionQuery, None, {"enable_logging": enable_logging})
        files = _files(file, filename, content_type)
        beside = (*_OF_FILES, "enable_logging")
        return _form(_TRANSCRIPTIONS, TranscriptionParams, files, params, fields, query, beside)

    @endpoint
    def get_transcription(self, transcription_id: str) -> Call[TranscriptionResponse]:
        """Return an earlier transcription by its `transcription_id`.

        The text is in `.text`. The response can be read like a dict, too: `response["words"]`.

        Raises:
            InvalidParamsError: the ID is empty, `.` or `..`.
            NotFoundError: there is no transcription with this ID.
        """
        path = f"{_TRANSCRIPTIONS}/{path_segment('transcription_id', transcription_id)}"
        return Call(method="GET", path=path, reader=_TEXT)

    @endpoint
    def translate(
        self,
        file: FileContent,
        params: Optional[TranscriptionTranslateParams] = None,
        *,
        filename: Optional[str] = None,
        content_type: Optional[str] = None,
        **fields: Unpack[TranscriptionTranslateFields],
    ) -> Call[TranscriptionResponse]:
        """Return the words spoken in an audio file, in English; `audio_translate` can do more.

        Args:
            file, params, fields, filename, content_type: as for `transcribe`; without a `model` the
                gateway chooses one.

        Returns:
            The response; the text is in `.text`.

        Raises:
            InvalidParamsError: a parameter is missing, unknown or invalid; nothing was sent.
            MeshAPIError: as for `chat.completions.create`.
        """
        path = f"{_TRANSCRIPTIONS}/translate"
        files = _files(file, filename, content_type)
        return _form(path, TranscriptionTranslateParams, files, params, fields)

    @endpoint
    def audio_translate(
        self,
        file: FileContent,
        params: Optional[AudioTranslationsParams] = None,
        *,
        filename: Optional[str] = None,
        content_type: Optional[str] = None,
        **fields: Unpack[AudioTranslationsFields],
    ) -> Call[TranscriptionResponse]:
        """Return the words spoken in an audio file, in English, in the format that you ask for.

        Args:
            file, params, fields, filename, content_type: as for `transcribe`.

        Returns:
            The response; the text is in `.text`, and the rest depends on `response_format`.

        Raises:
            InvalidParamsError: a parameter is missing, unknown or invalid; nothing was sent.
            UnprocessableEntityError: the model cannot translate.
        """
        files = _files(file, filename, content_type)
        return _form(_TRANSLATIONS, AudioTranslationsParams, files, params, fields)

    @list_endpoint
    def list_voices(
        self, params: Optional[ListVoicesParams] = None, **fields: Unpack[ListVoicesFields]
    ) -> Call[VoicesResponse]:
        """Return the available voices.

        Args:
            params: the filters as one object, instead of keywords.
            fields: the filters as keywords; see `ListVoicesParams`. All voices by default.

        Returns:
            The response; the voices are in `.voices`, and `.voices[0].voice_id` is the `voice` of
            `synthesize`. Iterate over it for the voices of all pages.

        Raises:
            InvalidParamsError: a parameter is unknown or invalid; nothing was sent.
        """
        query = encode_query(ListVoicesParams, params, fields)
        return Call(method="GET", path=_VOICES, query=query, reader=JSONReader(VoicesResponse))

    @endpoint
    def get_voice(self, voice_id: str) -> Call[Voice]:
        """Return one voice.

        Raises:
            InvalidParamsError: the ID is empty, `.` or `..`.
            NotFoundError: there is no voice with this ID.
        """
        path = f"{_VOICES}/{path_segment('voice_id', voice_id)}"
        return Call(method="GET", path=path, reader=JSONReader(Voice))


class _TranscriptionQuery(Params, kw_only=True):
    enable_logging: Optional[bool] = None


def _from_text(text: str) -> TranscriptionResponse:
    return TranscriptionResponse(text=text)


_TEXT = TextReader(TranscriptionResponse, _from_text)


def _files(
    file: Optional[FileContent], filename: object, content_type: object
) -> tuple[FilePart, ...]:
    return () if file is None else (file_part("file", file, filename, content_type, _NAMELESS),)


def _form(
    path: str,
    params_type: type[Params],
    files: tuple[FilePart, ...],
    params: Optional[Params],
    fields: object,
    query: tuple[tuple[str, str], ...] = (),
    beside: tuple[str, ...] = _OF_FILES,
) -> Call[TranscriptionResponse]:
    given = cast("Mapping[str, Any]", fields)
    body = encode_form(params_type, params, given, files, beside)
    if not files and not {name for name, _ in body.fields} & {"source_url", "cloud_storage_url"}:
        is_optional = params_type is TranscriptionParams
        hint = "or give source_url or cloud_storage_url" if is_optional else ""
        raise InvalidParamsError("file", "bytes, a path or an open file", "nothing", hint)
    return Call(
        method="POST",
        path=path,
        query=query,
        body=body,
        reader=_TEXT,
        # The transcription begins after the response; its text goes to the webhook.
        starts_job=("webhook", "true") in body.fields,
    )
