"""transformers' Trainer carries a model across growth events, with its own optimizer or with foam's."""

import pytest
import torch

pytest.importorskip("accelerate")

from transformers import Trainer, TrainerCallback, TrainingArguments

from foam_cli import GrowableModel
from foam_cli.model.neurons import growable_ffns

pytestmark = pytest.mark.slow  # loads and runs the Trainer

STEPS, COOLDOWN = 12, 4


class Grow(TrainerCallback):
    """As in docs/python_api.md."""

    def __init__(self, model):
        self.model = model
        self.results = []
        self.rows = []
        self.moments = []

    def on_train_begin(self, args, state, control, optimizer=None, **kwargs):
        self.optimizer = getattr(optimizer, "optimizer", optimizer)
        if isinstance(self.optimizer, torch.optim.AdamW):
            self.model.attach(optimizer)

    def on_step_end(self, args, state, control, **kwargs):
        self.results.append(self.model.check_and_grow())
        self.rows.append([ffn.bank.down_CD.detach().clone() for ffn in growable_ffns(self.model)])


def examples(num):
    generator = torch.Generator().manual_seed(2)
    ids = torch.randint(2, 97, (num, 12), generator=generator)
    return [{"input_ids": row, "labels": row} for row in ids]


def trained(model, folder, optimizer=None, resume=None, **changes):
    grow = Grow(model)
    fields = {
        "max_steps": STEPS, "per_device_train_batch_size": 4, "gradient_accumulation_steps": 2,
        "learning_rate": 1e-2, "lr_scheduler_type": "linear", "report_to": [], "disable_tqdm": True,
        "save_strategy": "no", "use_cpu": True, "logging_steps": 1, "dataloader_pin_memory": False,
    }  # fmt: skip
    arguments = TrainingArguments(folder, **{**fields, **changes})
    optimizers = (optimizer, None)
    trainer = Trainer(
        model.model, arguments, train_dataset=examples(32), callbacks=[grow], optimizers=optimizers
    )
    trainer.train(resume_from_checkpoint=resume)
    losses = [row["loss"] for row in trainer.state.log_history if "loss" in row]
    return grow, trainer, losses


@pytest.mark.parametrize("own", [True, False], ids=["foams", "trainers"])
def test_a_trainer_grows_a_model_whose_new_neurons_learn(own, tiny_model, tmp_path, tokens_BT):
    base = tiny_model("qwen2")
    model = GrowableModel(
        base, growth_cooldown=COOLDOWN, max_growth_per_step=6, capacity=64, freeze_attention=True
    )
    parameters = dict(model.named_parameters())
    frozen = {name: p.detach().clone() for name, p in parameters.items() if not p.requires_grad}
    optimizer = model.optimizer(lr=1e-2) if own else None
    grow, trainer, losses = trained(model, tmp_path, optimizer)

    born = [result["born"] for result in grow.results]
    assert born == [18 if step % COOLDOWN == 0 else 0 for step in range(1, STEPS + 1)]
    for block, ffn in enumerate(growable_ffns(model)):
        # Newborns' out-columns are zero at their event, and none is a step later.
        first, after = grow.rows[COOLDOWN - 1][block][:6], grow.rows[COOLDOWN][block][:6]
        assert not first.any() and after.any(dim=1).all()
        assert not ffn.bank.down_CD[18:].any() and not ffn.bank.up_CD[18:].any()
    assert losses[-1] < losses[0]

    # The optimizer still holds the very parameters of the model, with a state that fits and is finite.
    assert {n: id(p) for n, p in model.named_parameters()} == {n: id(p) for n, p in parameters.items()}
    assert all(torch.equal(parameters[name], value) for name, value in frozen.items())
    inner = trainer.optimizer.optimizer
    state = inner.state if not own else inner._neurons.state
    for ffn in growable_ffns(model):
        for rows in ffn.bank.parameters():
            for moment in ("exp_avg", "exp_avg_sq"):
                memory = state[rows][moment]
                assert memory.shape == rows.shape and memory.isfinite().all()
                assert memory[:12].flatten(1).any(dim=1).all() and not memory[18:].any()
    saved = inner.state_dict()
    inner.load_state_dict(saved)

    # Without what grew the model is another one: the neurons do something.
    with torch.no_grad():
        whole = model.eval()(tokens_BT).logits
        for ffn in growable_ffns(model):
            ffn.detached = True
        assert (model(tokens_BT).logits - whole).abs().max() > 1e-3


def test_the_wrapper_itself_may_be_trained_and_evaluated(tiny_model, tmp_path):
    model = GrowableModel(tiny_model("qwen2"), growth_cooldown=4, capacity=64)
    grow = Grow(model)
    arguments = TrainingArguments(
        tmp_path, max_steps=5, report_to=[], disable_tqdm=True, save_strategy="no", use_cpu=True,
        remove_unused_columns=False, eval_strategy="steps", eval_steps=2, dataloader_pin_memory=False,
    )  # fmt: skip
    data = examples(8)
    Trainer(model, arguments, train_dataset=data, eval_dataset=data, callbacks=[grow]).train()
    assert [result["born"] > 0 for result in grow.results] == [False, False, False, True, False]


@pytest.mark.parametrize("own", [True, False], ids=["foams", "trainers"])
def test_a_checkpoint_of_trainer_resumes_exactly(own, tiny_model, tmp_path):
    """Saved at step 6, between the events at 4 and 8."""

    def run(resume, **changes):
        model = GrowableModel(
            tiny_model("qwen2"), growth_cooldown=COOLDOWN, max_growth_per_step=6, capacity=64
        )
        optimizer = model.optimizer(lr=1e-2) if own else None
        grow, _, _ = trained(model, tmp_path, optimizer, resume, **changes)
        return model, grow

    whole, _ = run(None, save_strategy="steps", save_steps=6)
    resumed, grow = run(str(tmp_path / "checkpoint-6"))
    assert len(grow.results) == STEPS - 6 and [one["born"] for one in grow.results] == [0, 18, 0, 0, 0, 18]
    mine, its = whole.model.state_dict(), resumed.model.state_dict()
    assert mine.keys() == its.keys()
    assert all(torch.equal(mine[name], its[name]) for name in mine)
