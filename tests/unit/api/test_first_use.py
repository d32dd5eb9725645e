"""What users of such libraries type first, word for word but for the model's name."""

import inspect

import foam_cli
from foam_cli import CurriculumLearning, GrowableLinear, GrowableModel, GrowableQwen, MemoryReplayBuffer

DEFAULTS = {
    "gradient_percentile": 90.0, "max_growth_per_step": 10, "growth_cooldown": 200, "maturation_age": 500,
    "enable_replacement": False,
}  # fmt: skip


def test_the_first_lines_run(tiny_folder):
    import torch

    layer = GrowableLinear(768, 3072, enable_replacement=True)
    should_grow, source_indices = layer.check_growth()
    assert (should_grow, source_indices) == (False, [])
    layer(torch.randn(2, 768)).square().mean().backward()
    result = layer.perform_growth([3, 5, 7])
    assert result == {"born": 3, "replaced": 0, "died": 0}

    model = GrowableQwen(str(tiny_folder), enable_growth=True, enable_replacement=True, freeze_attention=True)
    loss = model(torch.tensor([[1, 2, 3]]), labels=torch.tensor([[1, 2, 3]])).loss
    model.update_loss(loss.item())
    result = model.check_and_grow()
    assert result == {"born": 0, "replaced": 0, "died": 0}

    training_examples = [{"prompt": "say " + "a " * n, "response": "b"} for n in range(9)]
    buffer = MemoryReplayBuffer(max_size=10000)
    for example in training_examples:
        buffer.add(example["prompt"], example["response"], loss=0.3)
    new_examples = [{"prompt": "new", "response": str(n)} for n in range(8)]
    mixed = buffer.get_replay_batch(new_examples, replay_ratio=0.2)
    assert len(mixed) == 10 and mixed[:8] == new_examples
    easy, medium, hard = CurriculumLearning().get_phases(training_examples[::-1])
    assert [*easy, *medium, *hard] == training_examples
    assert CurriculumLearning().sort_by_difficulty(training_examples[::-1]) == training_examples


def test_parameters_have_their_names_and_defaults():
    for cls in (GrowableLinear, GrowableModel):
        parameters = inspect.signature(cls.__init__).parameters
        assert {name: parameters[name].default for name in DEFAULTS} == DEFAULTS
    assert inspect.signature(GrowableQwen.__init__).parameters["model_name"].default == (
        "Qwen/Qwen2.5-1.5B-Instruct"
    )
    assert inspect.signature(MemoryReplayBuffer.__init__).parameters["max_size"].default == 10_000
    draw = inspect.signature(MemoryReplayBuffer.get_replay_batch).parameters
    assert draw["replay_ratio"].default == 0.2
    assert {"growth_detached", "load_grown", "save_delta"} <= set(dir(foam_cli))


def test_the_formula_of_a_growable_linear_is_in_its_docstring():
    assert "y = W x + b + W_out φ(W_in x)" in (GrowableLinear.__doc__ or "")
