"""What a run needs of a machine, looked at piece by piece: each check yields rows with a remedy.

Nothing heavy is imported before a check is done, and none can end the others.
"""

from freqgan.diagnosis.checks import checks
from freqgan.diagnosis.row import Check, Row, Status
from freqgan.diagnosis.supervision import examine

__all__ = ["Check", "Row", "Status", "checks", "examine"]
