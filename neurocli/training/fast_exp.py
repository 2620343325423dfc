"""An exponential for compiled loops, which a library call would keep from becoming vector code; to be imported where numba is.

Numba keeps compiled loops by the date of their own file: after a change here delete the caches of the kernels that use it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

_F = np.float32
_LOG2E = _F(1.4426950408889634)
# 2^f on [-1/2, 1/2] by its Taylor series in f ln 2.
_E0, _E1, _E2, _E3, _E4, _E5 = (
    _F(c) for c in (1.5403530e-4, 1.3333558e-3, 9.6181291e-3, 5.5504109e-2, 2.4022651e-1, 6.9314718e-1)
)


@njit(fastmath=True, inline="always", error_model="numpy")
def exp_minus(x: Any, scale: Any, power: Any, mantissa: Any) -> None:
    """exp(-scale |x|) to single precision, as `mantissa * power.view(np.float32)`; both are filled, power is int32. No result is below 2^-126."""
    for k in range(len(x)):
        z = max(-abs(x[k]) * scale * _LOG2E, _F(-126.0))
        whole = np.int32(z - _F(0.5))
        f = z - _F(whole)
        p = _E0 * f + _E1
        p = p * f + _E2
        p = p * f + _E3
        p = p * f + _E4
        p = p * f + _E5
        mantissa[k] = p * f + _F(1)
        power[k] = (whole + np.int32(127)) << np.int32(23)
