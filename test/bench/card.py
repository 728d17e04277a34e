"""The model card's code on the CPU, with the weights of a GGUF: python card.py GGUF THREADS, the user's message on stdin.

Prints {"answer": …, "tokens": of the prompt}. Without arguments it only says whether what it imports is there.
"""
import json
import os
import sys

import accelerate  # noqa: F401  (transformers reads GGUF files with these two)
import gguf  # noqa: F401
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

if len(sys.argv) == 3:
    path, threads = sys.argv[1], int(sys.argv[2])
    torch.set_num_threads(threads)
    folder, name = os.path.split(os.path.abspath(path))
    model = AutoModelForCausalLM.from_pretrained(folder, gguf_file=name)
    tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=name)
    messages = [{"role": "user", "content": sys.stdin.read()}]
    text = tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
    inputs = tokenizer(text, add_special_tokens=False, return_tensors="pt")
    with torch.inference_mode():
        output = model.generate(**inputs, max_new_tokens=16, do_sample=False)
    count = inputs["input_ids"].shape[1]
    answer = tokenizer.decode(output[0][count:], skip_special_tokens=True)
    print(json.dumps({"answer": answer, "tokens": count}))
