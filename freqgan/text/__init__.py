"""Text encoders: captions to a vector per sentence and one per word."""

from freqgan.text.base import END, Text, TextEncoder
from freqgan.text.lstm import LSTMEncoder
from freqgan.text.vocabulary import Vocabulary, words_of

__all__ = ["END", "LSTMEncoder", "Text", "TextEncoder", "Vocabulary", "words_of"]
