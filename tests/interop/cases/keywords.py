"""Arguments by their official names."""

from interop.cases.grammar import AUDIO, MODEL, PIXEL, ask, case, chunks

from meshapi import (
    AudioTranslationsParams,
    BatchRequestItem,
    BulkEmbedRequest,
    ChatMessage,
    CompareParams,
    CreateBatchParams,
    CreateTemplateParams,
    EmbeddingsParams,
    ImageEditParams,
    ImageGenerationParams,
    InitUploadRequest,
    ListVideoGenerationsParams,
    ListVoicesParams,
    ModelSearchParams,
    ModerationParams,
    ResponsesParams,
    RouterSelectParams,
    SearchRequest,
    SpeechParams,
    TranscriptionParams,
    TranscriptionTranslateParams,
    UpdateTemplateParams,
    VideoContentItem,
    VideoGenerationParams,
    WebSearchParams,
)

QUESTION = ChatMessage(role="user", content="What is 2+2?")


@case()
def keywords_of_questions():
    yield lambda c: c.chat.completions.create(params=ask("What is 2+2?"))
    yield chunks(lambda c: c.chat.completions.stream(params=ask("What is 2+2?")))
    params = ResponsesParams(model=MODEL, input="What is 2+2?", background=True)
    job = yield lambda c: c.responses.create(params=params)
    yield lambda c: c.responses.get(response_id=job.id)
    yield chunks(
        lambda c: c.responses.stream(params=ResponsesParams(model=MODEL, input="What is 2+2?"))
    )
    several = CompareParams(models=[MODEL, "openai/gpt-4o"], messages=[QUESTION])
    yield lambda c: c.compare.create(params=several)
    yield chunks(lambda c: c.compare.stream(params=several))
    yield lambda c: c.router.select(params=RouterSelectParams(messages=[QUESTION]))
    yield lambda c: c.moderations.create(params=ModerationParams(input="hello"))
    yield lambda c: c.web.search(params=WebSearchParams(query="foxes"))
    yield lambda c: c.models.search(params=ModelSearchParams(limit=1))
    yield lambda c: c.models.get(model_id=MODEL)


@case()
def keywords_of_media():
    size = "32x32"
    yield lambda c: c.embeddings.create(params=EmbeddingsParams(input="a", dimensions=2))
    picture = ImageGenerationParams(prompt="A fox", size=size, response_format="b64_json")
    yield lambda c: c.images.generate(params=picture)
    yield chunks(lambda c: c.images.stream(params=picture))
    edit = ImageEditParams(model="openai/gpt-image-1", image=PIXEL, prompt="red", size=size)
    yield lambda c: c.images.edit(params=edit)
    content = [VideoContentItem(type="text", text="A fox")]
    film = VideoGenerationParams(model="bytedance/seedance-1-0-lite", content=content)
    task = yield lambda c: c.videos.generate(params=film)
    yield lambda c: c.videos.retrieve(task_id=task.id)
    yield lambda c: c.videos.list(params=ListVideoGenerationsParams(limit=1))
    yield lambda c: c.audio.synthesize(params=SpeechParams(input="Hello"))
    whisper = TranscriptionParams(model="openai/whisper-1")
    yield lambda c: c.audio.transcribe(file=AUDIO, params=whisper, filename="a.wav")
    yield lambda c: c.audio.translate(
        file=AUDIO, params=TranscriptionTranslateParams(prompt="numbers"), filename="a.wav"
    )
    yield lambda c: c.audio.audio_translate(
        file=AUDIO, params=AudioTranslationsParams(model="openai/whisper-1"), filename="a.wav"
    )
    yield lambda c: c.audio.get_transcription(transcription_id="none")
    yield lambda c: c.audio.list_voices(params=ListVoicesParams(page_size=1))
    yield lambda c: c.audio.get_voice(voice_id="none")


@case()
def keywords_of_stores():
    template = yield lambda c: c.templates.create(params=CreateTemplateParams(name="a"))
    yield lambda c: c.templates.get(template_id=template.id)
    yield lambda c: c.templates.update(
        template_id=template.id, params=UpdateTemplateParams(name="b")
    )
    yield lambda c: c.templates.delete(template_id=template.id)
    item = BatchRequestItem(custom_id="a", body={"model": MODEL, "messages": []})
    yield lambda c: c.batches.create(params=CreateBatchParams(requests=[item]))
    yield lambda c: c.batches.get(batch_id="none")
    yield lambda c: c.batches.cancel(batch_id="none")
    document = InitUploadRequest(file_name="a.txt", mime_type="text/plain")
    upload = yield lambda c: c.rag.init_upload(params=document)
    yield lambda c: c.rag.get(file_id=upload.file_id)
    yield lambda c: c.rag.embed(params=BulkEmbedRequest(file_ids=[upload.file_id]))
    yield lambda c: c.rag.search(params=SearchRequest(query="a"))
