"""WAV files, read and written."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshapi.cli.wav import WavError, WavReader, WavWriter
from support.wav_files import RATE, wav_file


class TestWav:
    def test_what_is_written_is_read_again_in_pieces_of_a_second(self, tmp_path: Path) -> None:
        path = str(tmp_path / "x.wav")
        with WavWriter(path) as writer:
            assert os.listdir(tmp_path) == ["x.wav.part"]
            writer.write(b"ab" * 30_000)
            writer.write(b"cd")
        with WavReader(path) as reader:
            pieces = list(reader.pieces())
        assert [len(piece) for piece in pieces] == [48_000, 12_002]
        assert b"".join(pieces) == b"ab" * 30_000 + b"cd"
        assert os.listdir(tmp_path) == ["x.wav"]

    @given(cut=st.integers(0, 143))
    def test_a_file_that_is_cut_anywhere_is_read_or_refused(
        self, cut: int, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        folder = tmp_path_factory.getbasetemp()
        whole = Path(wav_file(folder / "whole.wav", 50 / RATE)).read_bytes()
        (folder / "cut.wav").write_bytes(whole[:cut])
        try:
            with WavReader(str(folder / "cut.wav")) as reader:
                assert len(b"".join(reader.pieces())) <= 100
        except WavError as error:
            assert "cut.wav" in str(error)

    @pytest.mark.skipif(not os.path.exists("/dev/null"), reason="devices of POSIX")
    def test_a_device_is_never_replaced(self) -> None:
        with pytest.raises(WavError, match="not a regular file"):
            WavWriter("/dev/null")
