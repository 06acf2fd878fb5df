"""TransUNet's size counted from its description, its transformer against torch's own, its position embeddings."""

import subprocess
import sys

import pytest
import torch
from torch import nn

from tests.networks.lively import enliven
from wsi_edt.networks.trans_unet import Transformer, TransUNet


@pytest.fixture(scope="module")
def network() -> TransUNet:
    torch.manual_seed(0)
    return enliven(TransUNet(2))


def conv_norm(inputs: int, outputs: int, kernel: int) -> int:
    return inputs * outputs * kernel**2 + 2 * outputs


def linear(inputs: int, outputs: int) -> int:
    return (inputs + 1) * outputs


def test_parameters(network: TransUNet) -> None:
    resnet = conv_norm(3, 64, 7)
    channels = 64
    for width, units in ((64, 3), (128, 4), (256, 9)):
        for unit in range(units):
            resnet += (
                conv_norm(channels, width, 1) + conv_norm(width, width, 3) + conv_norm(width, 4 * width, 1)
            )
            if unit == 0:
                resnet += conv_norm(channels, 4 * width, 1)
            channels = 4 * width
    norm = 2 * 768
    layer = 2 * norm + linear(768, 3 * 768) + linear(768, 768) + linear(768, 3072) + linear(3072, 768)
    transformer = linear(1024, 768) + 14 * 14 * 768 + 12 * layer + norm
    upsampler = conv_norm(768, 512, 3)
    for inputs, outputs in ((512 + 512, 256), (256 + 256, 128), (128 + 64, 64), (64, 16)):
        upsampler += conv_norm(inputs, outputs, 3) + conv_norm(outputs, outputs, 3)
    found = sum(parameter.numel() for parameter in network.parameters())
    assert found == resnet + transformer + upsampler + linear(16, 2)
    # M. Heidari et al., "HiFormer", WACV 2023, Table 1: 105.28 M.
    assert found / 1e6 == pytest.approx(105.28, abs=0.01)


def test_transformer_is_torchs(network: TransUNet) -> None:
    """A pre-norm encoder layer with twelve heads and GELU."""
    ours = network.transformer.layers[0]
    nn.init.normal_(ours.get_parameter("attn.qkv.bias"), std=0.1)
    theirs = nn.TransformerEncoderLayer(
        768, 12, 3072, dropout=0, activation="gelu", batch_first=True, norm_first=True
    ).eval()
    names = {
        "self_attn.in_proj_": "attn.qkv.",
        "self_attn.out_proj.": "attn.out_proj.",
        "linear": "mlp.linear",
        "norm": "norm",
    }
    given = ours.state_dict()

    def place(name: str) -> str:
        start = next(start for start in names if name.startswith(start))
        return names[start] + name.removeprefix(start)

    theirs.load_state_dict({name: given[place(name)] for name in theirs.state_dict()})
    assert sum(p.numel() for p in ours.parameters()) == sum(p.numel() for p in theirs.parameters())
    x = torch.randn(1, 6, 768)
    with torch.inference_mode():
        torch.testing.assert_close(ours(x), theirs(x), rtol=1e-4, atol=1e-5)


def test_position_embeddings_are_enlarged(network: TransUNet) -> None:
    transformer = network.transformer
    assert isinstance(transformer, Transformer)
    seen: list[torch.Tensor] = []
    handle = transformer.layers[0].register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    across = torch.linspace(0, 1, 14).expand(1, 768, 14, 14)
    before = transformer.positions.data
    transformer.positions.data = across.clone()
    with torch.inference_mode():
        nn.init.zeros_(transformer.embed.weight)
        nn.init.zeros_(transformer.get_parameter("embed.bias"))
        transformer(torch.zeros(1, 1024, 14, 14))
        transformer(torch.zeros(1, 1024, 2, 28))
    handle.remove()
    transformer.positions.data = before
    same, enlarged = seen
    torch.testing.assert_close(same, across.flatten(2).transpose(1, 2))
    rows = enlarged[0, :, 0].reshape(2, 28)
    torch.testing.assert_close(rows[0], rows[1])
    # Inside, a ramp stays a ramp: px i of twice as many lies at i / 2 − 1 / 4 of the 13 steps.
    torch.testing.assert_close(rows[0, 4:-4], (torch.arange(28) / 2 - 0.25)[4:-4] / 13)


@pytest.mark.parametrize("size", [(16, 48), (32, 32)])
def test_any_multiple_of_the_stride(network: TransUNet, size: tuple[int, int]) -> None:
    with torch.inference_mode():
        assert network(torch.zeros(1, 3, *size)).shape == (1, 2, *size)


WITHOUT = """
import sys
from wsi_edt.errors import UsageError
from wsi_edt.networks import NetworkSpec, build_network


class NotInstalled:
    @staticmethod
    def find_spec(name, *_):
        if name == {module!r}:
            raise ModuleNotFoundError(name=name)


sys.meta_path.insert(0, NotInstalled)
for architecture in ("m_hrnet", "mpvit", "hover_net"):
    build_network(NetworkSpec.from_table(dict(architecture=architecture), maps=1))
assert not [name for name in sys.modules if name.startswith("monai.")]
try:
    build_network(NetworkSpec.from_table(dict(architecture={architecture!r}), maps=1))
except UsageError as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("architecture", "module"), [("trans_unet", "einops"), ("trans_unet", "monai"), ("swin", "monai")]
)
def test_what_is_not_installed_is_said_in_a_sentence(architecture: str, module: str) -> None:
    program = WITHOUT.format(architecture=architecture, module=module)
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert said == (
        f"network {architecture} needs {module}, which isn't installed; pip install 'wsi-edt[networks]'\n"
    )
