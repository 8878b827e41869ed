"""What makes a worse image of a good one: blur, fewer pixels, noise, compression, lost colour, chains of them.

A degradation is called with an image and a generator, and says by `scale` how much smaller the image becomes and by
`reach` how far it looks around a pixel. It gives the same for the same draws: whoever calls it keys the generator.
"""

from freqgan.data.degradations.base import Degradation, Span
from freqgan.data.degradations.blur import GaussianBlur, MotionBlur
from freqgan.data.degradations.chains import Chain, OneOf, Sometimes
from freqgan.data.degradations.drawing import Edges, Grey
from freqgan.data.degradations.noise import JPEG, GaussianNoise, PoissonNoise
from freqgan.data.degradations.sizes import Bicubic, RandomResize, Sized

__all__ = [
    "JPEG",
    "Bicubic",
    "Chain",
    "Degradation",
    "Edges",
    "GaussianBlur",
    "GaussianNoise",
    "Grey",
    "MotionBlur",
    "OneOf",
    "PoissonNoise",
    "RandomResize",
    "Sized",
    "Sometimes",
    "Span",
]
