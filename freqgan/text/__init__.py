"""Text encoders: captions to a vector per sentence and one per word."""

from freqgan.text.altered import Alterations
from freqgan.text.base import END, Text, TextEncoder
from freqgan.text.cached import CachedEncoder
from freqgan.text.kept_captions import KeptCaptions
from freqgan.text.lstm import LSTMEncoder
from freqgan.text.pair import EncoderPair
from freqgan.text.pretrained import PretrainedEncoder
from freqgan.text.said import Altered, Said
from freqgan.text.vocabulary import Vocabulary, words_of

__all__ = [
    "END",
    "Alterations",
    "Altered",
    "CachedEncoder",
    "EncoderPair",
    "KeptCaptions",
    "LSTMEncoder",
    "PretrainedEncoder",
    "Said",
    "Text",
    "TextEncoder",
    "Vocabulary",
    "words_of",
]
