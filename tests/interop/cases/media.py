"""Images, videos and audio."""

from typing import Any

from interop.cases.grammar import AUDIO, PIXEL, Ask, case, chunks

from meshapi import (
    AudioTranslationsParams,
    ImageEditParams,
    ImageGenerationParams,
    ImageRef,
    ListVideoGenerationsParams,
    ListVoicesParams,
    PronunciationDictionaryLocator,
    SpeechParams,
    TranscriptionParams,
    TranscriptionTranslateParams,
    VideoContentItem,
    VideoGenerationParams,
    VoiceSettings,
)

# Images


def draw(**fields: Any) -> ImageGenerationParams:
    return ImageGenerationParams(
        **{"model": "openai/gpt-image-1", "prompt": "A fox in the snow", "n": 1, **fields}
    )


@case()
def images_are_addresses():
    yield lambda c: c.images.generate(draw(size="64x64", quality="high", output_format="png"))


@case()
def images_are_base64():
    result = yield lambda c: c.images.generate(
        draw(
            n=2,
            size="32x32",
            response_format="b64_json",
            background="opaque",
            moderation="low",
            seed=-1,
            watermark=False,
        )
    )
    assert result.data[0].image_bytes().startswith(b"\x89PNG")


@case()
def images_in_other_formats():
    yield lambda c: c.images.generate(draw(output_format="webp", size="64x64"))
    yield lambda c: c.images.generate(draw(output_format="jpeg", output_compression=50))


@case()
def images_stream():
    yield chunks(
        lambda c: c.images.stream(draw(size="32x32", partial_images=2, response_format="b64_json"))
    )


@case()
def images_are_edited():
    yield lambda c: c.images.edit(
        ImageEditParams(model="openai/gpt-image-1", image=PIXEL, prompt="Make it red")
    )
    yield lambda c: c.images.edit(
        ImageEditParams(
            model="openai/gpt-image-1",
            image=ImageRef(url=PIXEL),
            prompt="A hat",
            operation="inpaint",
            mask=ImageRef(url=PIXEL),
            n=1,
            size="32x32",
            response_format="b64_json",
        )
    )
    yield lambda c: c.images.edit(
        ImageEditParams(
            model="openai/gpt-image-1", image=PIXEL, operation="outpaint", expand_factor=1.5
        )
    )


@case()
def images_that_cannot_be_edited():
    yield lambda c: c.images.edit(
        ImageEditParams(model="openai/gpt-image-1", image=PIXEL, operation="upscale")
    )
    yield lambda c: c.images.edit(
        ImageEditParams(model="openai/dall-e-3", image=PIXEL, prompt="Make it red")
    )


# Videos


def film(**fields: Any) -> Ask:
    return lambda c: c.videos.generate(
        VideoGenerationParams(**{"model": "bytedance/seedance-1-0-lite", **fields})
    )


@case()
def videos_are_made():
    content = [
        VideoContentItem(type="text", text="A fox runs"),
        VideoContentItem(type="image_url", image_url={"url": PIXEL}, role="first_frame"),
    ]
    task = yield film(
        content=content,
        resolution="480p",
        ratio="16:9",
        duration=5,
        seed=3,
        watermark=False,
        camera_fixed=True,
        generate_audio=False,
        return_last_frame=True,
        service_tier="default",
    )
    for _ in range(4):
        yield lambda c: c.videos.retrieve(task.id)


@case()
def videos_are_listed():
    for text in ("A fox", "A hare", "A hen"):
        yield film(content=[VideoContentItem(type="text", text=text)])
    yield lambda c: c.videos.list()
    yield lambda c: c.videos.list(ListVideoGenerationsParams())
    yield lambda c: c.videos.list(
        ListVideoGenerationsParams(
            status="queued",
            model="bytedance/seedance-1-0-lite",
            created_after="2020-01-01T00:00:00Z",
            limit=1,
            offset=0,
        )
    )
    yield lambda c: c.videos.list(ListVideoGenerationsParams(limit=2, offset=1))


@case()
def videos_that_are_not_there():
    yield lambda c: c.videos.retrieve("none")


# Audio


@case()
def audio_is_spoken():
    yield lambda c: c.audio.synthesize(SpeechParams(input="Hello there"))
    yield lambda c: c.audio.synthesize(
        SpeechParams(
            input="Hello there",
            model="elevenlabs/eleven_multilingual_v2",
            voice="rachel",
            response_format="wav_16000",
            stream=False,
            voice_settings=VoiceSettings(stability=0.5, use_speaker_boost=True, speed=1),
            seed=1,
            language_code="en",
            pronunciation_dictionary_locators=[
                PronunciationDictionaryLocator(pronunciation_dictionary_id="d", version_id="v")
            ],
        )
    )


@case()
def audio_is_transcribed():
    yield lambda c: c.audio.transcribe(
        AUDIO,
        TranscriptionParams(
            model="openai/whisper-1", language_code="en", temperature=0.5, num_speakers=2
        ),
        filename="speech.wav",
    )
    yield lambda c: c.audio.transcribe(AUDIO, TranscriptionParams(model="elevenlabs/scribe_v1"))


@case(fault="forms hold what Python prints")
def audio_is_transcribed_with_lists_and_booleans():
    yield lambda c: c.audio.transcribe(
        AUDIO,
        TranscriptionParams(
            model="elevenlabs/scribe_v1",
            keyterms=["alpha", "beta"],
            diarize=True,
            no_verbatim=False,
        ),
    )


@case()
def audio_file_names_of_any_kind():
    yield lambda c: c.audio.transcribe(
        AUDIO, TranscriptionParams(model="openai/whisper-1"), filename='a "b" é.wav'
    )


@case()
def audio_transcriptions_are_kept():
    yield lambda c: c.audio.get_transcription("none")


@case()
def audio_is_translated():
    yield lambda c: c.audio.translate(AUDIO)
    yield lambda c: c.audio.translate(
        AUDIO,
        TranscriptionTranslateParams(model="sarvam/saaras-v2.5", prompt="numbers"),
        filename="speech.mp3",
    )
    yield lambda c: c.audio.audio_translate(
        AUDIO,
        AudioTranslationsParams(
            model="openai/whisper-1", prompt="numbers", response_format="json", temperature=0.0
        ),
        filename="speech.mp3",
    )


@case()
def audio_voices_are_listed():
    page = yield lambda c: c.audio.list_voices()
    yield lambda c: c.audio.get_voice(page.voices[0].voice_id)
    yield lambda c: c.audio.list_voices(ListVoicesParams())
    yield lambda c: c.audio.list_voices(
        ListVoicesParams(
            page_size=1, search="a", sort="name", sort_direction="desc", include_total_count=True
        )
    )
    yield lambda c: c.audio.list_voices(
        ListVoicesParams(
            voice_ids=[voice.voice_id for voice in page.voices[:2]], include_total_count=False
        )
    )
    yield lambda c: c.audio.get_voice("nobody")
