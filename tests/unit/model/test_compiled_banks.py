"""Under torch.compile: neurons are born without a compilation, and the compiled pass is the eager one."""

import jaxtyping
import pytest
import torch
from tiny_families import tiny_family

from foam_cli.model.heads import direct_head, logits_at
from foam_cli.model.neurons import make_growable

pytestmark = pytest.mark.slow  # compiles


def bear(ffn, num: int) -> None:
    bank = ffn.bank
    slots = bank.free_slots()[:num]
    with torch.no_grad():
        for rows in bank.parameters():
            rows[slots] = torch.randn(rows[slots].shape, generator=torch.Generator().manual_seed(slots[0]))
    bank.live_C[slots] = True
    bank.recount()


@pytest.fixture
def shapes_unchecked():
    """Checks of shapes, which only tests have, cannot be compiled."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.mark.usefixtures("shapes_unchecked")
@pytest.mark.filterwarnings("ignore")  # of torch's own, while it compiles
@pytest.mark.parametrize("family", ["gpt2", "qwen2"])
def test_ten_growth_events_compile_nothing_anew(family: str):
    model = tiny_family(family).train()
    ffns = make_growable(model, 256)
    head = direct_head(model)
    graphs = []

    def backend(graph, inputs):
        graphs.append(graph)
        return graph.forward

    torch.compiler.reset()
    compiled = torch.compile(logits_at, backend=backend)
    batch = (torch.arange(48).view(2, 24) % 97, torch.arange(40))
    logits = [compiled(model, head, *batch)]
    num_graphs = len(graphs)
    assert num_graphs > 0
    for _ in range(10):
        for ffn in ffns:
            bear(ffn, 20)  # 200 in all: four times more slots are in use
        logits.append(compiled(model, head, *batch))
        torch.testing.assert_close(logits[-1], logits_at(model, head, *batch), rtol=1e-4, atol=1e-4)
        assert float((logits[-1] - logits[-2]).abs().max()) > 0.01
    assert ffns[0].bank.num_slots_in_use == 256
    assert len(graphs) == num_graphs
    torch.compiler.reset()
