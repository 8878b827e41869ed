"""What a system offers that keeps more with its weights than training leaves there."""

from abc import ABC, abstractmethod
from typing import Any


class Remembering(ABC):
    """Something that follows from the weights and the data, for use where the data are not."""

    @abstractmethod
    def remember(self, data: Any) -> None:
        """Measures it for the averaged weights of this moment, before they are saved; training does not depend on it.

        Args:
            data: the data module.
        """
