"""Made the other files here: a BERT of random weights with the pieces that all-MiniLM-L6-v2 cuts the texts below into,
and what transformers 5.24 makes of the texts: ids of all, and states of some, padded or cut off.

usage: make.py FOLDER_OF_ALL_MINILM_L6_V2
"""
import json
import pathlib
import sys

import torch
from safetensors.torch import save_file
from transformers import AutoTokenizer, BertConfig, BertModel, BertTokenizer

LENGTH = 24
TEXTS = [
    "", " ", "\t\n", "a cat", "A RED BUS, crossing 2 bridges!", "Two giraffes standing next to each other.",
    "unaffable embeddings antidisestablishmentarianism", "3.14 x 10^-5 = $2,000 & 50%", "it's don't o'clock rock'n'roll",
    "well-known `code` ~tilde~ |pipe| {brace} <tag> \\ / @home #1 _under_",
    "Café naïve RÉSUMÉ Ünïcödé Ångström ñandú", "Cafe\u0301 e\u0301\u0327 a\u20dd", "ÿ Ÿ ß ẞ ĳ ﬁ ǆ ı I İ",
    "ΣΊΣΥΦΟΣ σίσυφος", "Привет, МИР ёлка й", "שָׁלוֹם مَرْحَبًا", "हिन्दी ภาษาไทย", "한국어 조선", "日本語の犬とカタカナ",
    "我爱北京天安门", "a猫b", "\u3400\U00020000\uf900\U0002f800", "Ｆｕｌｌ　ｗｉｄｔｈ１２", "½ Ⅷ ① x² ℃ №",
    "a dog 🐶 on 🏖️ beach", "👨‍👩‍👧‍👦 👍🏽 🇯🇵 ❤", "🫠🫠", "“curly” ‘quotes’ — dash – en … dots ¿qué? ¡sí!", "« guillemets » „low‟ 「ｋ」",
    "©2020 ™ ® § ¶ † • ° ± × ÷ ¬ ¦ ¨ ¯ ´ ¸", "€5 £6 ¥7 ₹8 ¢9", "soft\u00adhyphen zero\u200bwidth no\ufeffbreak join\u200der",
    "a\u00a0b\u2003c\u3000d\u2028e\u2029f\u1680g", "x\u0085y\u000bz\u000cw\u001cv\u0000u\u007ft\ufffds", "\u0001\u0002", "private\ue000use",
    "a [SEP] b", "[CLS] [PAD] [MASK] [UNK]", "x[MASK]y[SEP]", "[sep] [ SEP ] [[SEP]] [SEPS]", "##ing ## #", "x" * 100, "x" * 101,
    "a " + "é" * 100 + " b", "a " + "é" * 101 + " b", "e\u0301" * 100, "word " * 30, "a " * 22, "a " * 23, "supercalifragilisticexpialidocious",
    "https://example.com/a_b?c=d&e=f#g", "foo@bar.org", "C++ C# .NET", "\u0300\u0301", "a\u0300\u0301\u0302b", "\u1e9b\u0323", "ﷺ", "\U0001d49c\U0001d4b7",
    "mañana\r\nnew\rline", "…", "!!!???", "1,234,567.89", "12:30pm", "u.s.a.",
]
STATES = [0, 3, 4, 9, 14]  # of these texts


def main(minilm):
    here = pathlib.Path(__file__).parent
    whole = AutoTokenizer.from_pretrained(minilm)
    pieces = {piece for text in TEXTS for piece in whole.tokenize(text)} - set(whole.all_special_tokens)
    # The special tokens are not in the first places, and the longest pieces are what they were: greedy choices stay.
    vocabulary = ["[PAD]", *sorted(pieces), "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    (here / "vocab.txt").write_text("".join(token + "\n" for token in vocabulary))
    tokenizer = BertTokenizer(vocab=str(here / "vocab.txt"))
    torch.manual_seed(0)
    config = BertConfig(vocab_size=len(vocabulary), hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24,
                        max_position_embeddings=LENGTH + 4, initializer_range=0.4)
    network = BertModel(config).eval()
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if parameter.dim() == 1:
                parameter += 0.1 * torch.randn_like(parameter)
    network.save_pretrained(here)
    (here / "model.safetensors").chmod(0o644)
    rows, states = [], {}
    for i, text in enumerate(TEXTS):
        rows.append({"text": text, "ids": tokenizer(text).input_ids})
        if i in STATES:
            read = tokenizer(text, padding="max_length", truncation=True, max_length=LENGTH, return_tensors="pt")
            with torch.no_grad():
                states[str(i)] = network(**read).last_hidden_state[0] * read.attention_mask[0, :, None]
    (here / "ids.json").write_text("[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n")
    save_file(states, here / "states.safetensors")
    (here / "states.safetensors").chmod(0o644)


main(*sys.argv[1:])
