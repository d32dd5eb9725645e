"""bf16 weights that lose no update: the 16 bits that bf16 drops are kept beside it.

A bf16 weight of 0.02 has neighbours 1.2e-4 away, so a step of 1e-5 would round to nothing. `split` cuts an
fp32 number into the nearest bf16 number and a signed 16-bit remainder, `join` puts them together again, bit
for bit. Together they take the four bytes of an fp32 master, and the model computes with the bf16 part.
"""

import torch
from jaxtyping import BFloat16, Float32, Int16


def split(
    value: Float32[torch.Tensor, "*shape"],
) -> tuple[BFloat16[torch.Tensor, "*shape"], Int16[torch.Tensor, "*shape"]]:
    """Cut fp32 numbers in two.

    Args:
        value: The numbers.

    Returns:
        The nearest bf16 numbers, and what is left, in units of the last fp32 bit.
    """
    bits = value.view(torch.int32)
    # Half a bf16 step is added before the cut, so that the remainder always fits a signed 16-bit number;
    # rounding ties to even instead would leave +32768, which does not.
    high = (bits + 0x8000) >> 16
    low = bits - (high << 16)
    return high.to(torch.int16).view(torch.bfloat16), low.to(torch.int16)


def join(
    high: BFloat16[torch.Tensor, "*shape"], low: Int16[torch.Tensor, "*shape"]
) -> Float32[torch.Tensor, "*shape"]:
    """Put together what `split` cut.

    Args:
        high: The bf16 numbers.
        low: The remainders.

    Returns:
        The fp32 numbers, bit for bit.
    """
    bits = (high.view(torch.int16).to(torch.int32) << 16) + low.to(torch.int32)
    return bits.view(torch.float32)
