"""What rendering one environment may cost."""

from dataclasses import dataclass
from datetime import timedelta

from gitops_wf.core.sizes import Size

_MEMORY = Size(512 << 20)
_OUTPUT = Size(8 << 20)


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderLimits:
    """What one child of a renderer may cost.

    ``timeout`` is its time in all, ``cpu`` that of the processor, in whole seconds;
    ``memory`` is its own data, ``output`` what it writes to any one file.
    """

    timeout: timedelta = timedelta(seconds=60)
    cpu: timedelta = timedelta(seconds=30)
    memory: Size = _MEMORY
    output: Size = _OUTPUT
