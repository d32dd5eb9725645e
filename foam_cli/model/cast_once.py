"""Linear layers that keep the bf16 copy of a frozen weight, which autocast would make anew at every pass."""

import torch
from jaxtyping import Float
from torch import nn
from torch.nn import functional as F
from transformers import PreTrainedModel


class _CastOnceLinear(nn.Linear):
    """What nn.Linear computes, bit for bit; a weight that does not learn is cast once and not at every pass.

    The copy takes 2 bytes per weight between passes. Within one, autocast's own copy would be there as long.
    """

    def forward(self, input: Float[torch.Tensor, "... D"]) -> Float[torch.Tensor, "... E"]:
        device, weight = input.device.type, self.weight
        if weight.requires_grad or not torch.is_autocast_enabled(device) or torch.compiler.is_compiling():
            return super().forward(input)
        dtype = torch.get_autocast_dtype(device)
        # Whatever may have happened to the weight shows in one of these: written to, replaced, moved.
        state = (weight._version, weight.data_ptr(), dtype)
        if self.__dict__.get("_cast_of") != state:
            with torch.inference_mode(False):  # what is made in inference mode could not be trained through
                self.__dict__["_cast"] = weight.detach().to(dtype)
            self.__dict__["_cast_of"] = state
        return F.linear(input, self.__dict__["_cast"], self.bias)

    def __getstate__(self) -> dict[str, object]:
        """Leave the copy behind: it can be made anew."""
        return {key: value for key, value in self.__dict__.items() if key not in ("_cast", "_cast_of")}


def cast_once(model: PreTrainedModel) -> None:
    """Make linear layers keep the copies of their frozen weights that autocast computes with.

    Args:
        model: The model, changed in place; parameters that learn now or later are cast as before.
    """
    for module in model.modules():
        if type(module) is nn.Linear and not module.weight.is_meta:
            module.__class__ = _CastOnceLinear
