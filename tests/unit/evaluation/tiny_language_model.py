"""A tiny model with a tokenizer of its own, and answers worked out the slow way."""

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
TEXT = [
    "Question: Which of these is the hardest stone?\nAnswer: diamond, 12 times out of 20.",
    "The weather in Oslo is cold; the timer of 5 minutes has ended. Who are you?",
    '{"name": "weather", "arguments": {"city": "Oslo"}} user assistant system',
]


def make_tokenizer(bos: bool = False, chat: bool = True) -> PreTrainedTokenizerFast:
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    specials = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    trainer = trainers.BpeTrainer(
        vocab_size=320, special_tokens=specials, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()
    )
    backend.train_from_iterator(TEXT, trainer)
    if bos:
        backend.post_processor = processors.TemplateProcessing(
            single="<|endoftext|> $A", special_tokens=[("<|endoftext|>", 0)]
        )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend,
        eos_token="<|endoftext|>",
        bos_token="<|endoftext|>" if bos else None,
        additional_special_tokens=["<|im_start|>", "<|im_end|>"],
    )
    if chat:
        tokenizer.chat_template = CHATML
    return tokenizer


def make_model(dtype: torch.dtype = torch.float32, seed: int = 0) -> Qwen2ForCausalLM:
    torch.manual_seed(seed)
    config = Qwen2Config(
        vocab_size=320,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=128,
        tie_word_embeddings=True,
        initializer_range=0.3,
    )
    return Qwen2ForCausalLM(config).to(dtype).eval()


@torch.no_grad()
def naive_logprobs(model, tokens: list[int]) -> list[float]:
    """Log probability of tokens[1:], each from one forward pass of its own over the whole prefix."""
    found = []
    for position in range(1, len(tokens)):
        logits = model(input_ids=torch.tensor([tokens[:position]])).logits[0, -1].double()
        weights = (logits - logits.max()).exp()
        found.append((weights[tokens[position]] / weights.sum()).log().item())
    return found
