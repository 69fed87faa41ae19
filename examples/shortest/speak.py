"""Text to speech, saved in a file.

python speak.py
"""

from meshapi import MeshAPI

with MeshAPI() as client:
    client.audio.synthesize_to("hello.mp3", model="openai/tts-1", input="Hello!")
