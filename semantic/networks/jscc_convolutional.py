"""The convolutional networks of the field: deep JSCC of 2019, and ADJSCC with GDN and attention to the SNR.

References
----------
E. Bourtsoulatze, D. Burth Kurka, D. Gündüz: Deep joint source-channel coding for wireless image transmission.
IEEE TCCN 5(3), 2019 (arXiv 1809.01733).
J. Xu, B. Ai, W. Chen, A. Yang, P. Sun, M. Rodrigues: Wireless image transmission using deep source channel
coding with attention modules. IEEE TCSVT 32(4), 2022 (arXiv 2012.00533).
J. Ballé, V. Laparra, E. P. Simoncelli: Density modeling of images using a generalized normalization
transformation. ICLR 2016 (arXiv 1511.06281).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from semantic.networks.jscc_codec import JSCC

__all__ = ["ADJSCC", "AF", "GDN", "DeepJSCC2019"]


def _conv(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=kernel // 2)


def _up(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.ConvTranspose2d:
    return nn.ConvTranspose2d(
        inputs, outputs, kernel, stride=stride, padding=kernel // 2, output_padding=stride - 1
    )


class DeepJSCC2019(JSCC):
    """The five-layer network of Bourtsoulatze, Burth Kurka and Gündüz (2019), for one SNR and one rate.

    Encoder: 5 x 5 convolutions of 16 (stride 2), 32 (stride 2), 32, 32 and c filters, each with a PReLU (one
    slope a layer). The decoder mirrors it by transposed convolutions, the last with 3 filters and a sigmoid.

    Parameters
    ----------
    c:
        Latent channels; CBR is c / 96.
    """

    stride = 4

    def __init__(self, c: int) -> None:
        super().__init__({"c": c}, c)
        down = [_conv(3, 16, 5, 2), _conv(16, 32, 5, 2), _conv(32, 32, 5), _conv(32, 32, 5), _conv(32, c, 5)]
        up = [_up(c, 32, 5), _up(32, 32, 5), _up(32, 32, 5), _up(32, 16, 5, 2), _up(16, 3, 5, 2)]
        self.encoder = nn.Sequential(*(layer for conv in down for layer in (conv, nn.PReLU())))
        self.decoder = nn.Sequential(*(layer for conv in up for layer in (conv, nn.PReLU())))
        self.decoder[-1] = nn.Sigmoid()

    def _analyse(self, pictures: torch.Tensor, snr_db: torch.Tensor, channels: int) -> torch.Tensor:
        return torch.as_tensor(self.encoder(pictures))

    def _synthesise(
        self, latent: torch.Tensor, snr_db: torch.Tensor, noise: torch.Tensor | None = None
    ) -> torch.Tensor:
        return torch.as_tensor(self.decoder(latent))


class GDN(nn.Module):
    """Generalised divisive normalisation, ``y_i = x_i / sqrt(beta_i + sum_j gamma_ij x_j²)``, or its inverse.

    beta and gamma are kept positive as squares of the parameters ``root_beta`` and ``root_gamma``.

    Parameters
    ----------
    channels:
        Channels of the input ``[B, channels, H, W]``.
    inverse:
        IGDN: multiply by the root instead of dividing (Ballé's approximate inverse).
    """

    def __init__(self, channels: int, inverse: bool = False) -> None:
        super().__init__()
        self.inverse = inverse
        self.root_beta = nn.Parameter(torch.ones(channels))
        # Off the diagonal a little above zero: the square has no slope at zero.
        self.root_gamma = nn.Parameter((0.1 * torch.eye(channels) + 2.0**-18).sqrt())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Normalise ``[B, channels, H, W]`` across channels at every position."""
        gamma, beta = self.root_gamma.square(), self.root_beta.square() + 1e-6
        energy = F.conv2d(x.square(), gamma[:, :, None, None], beta)
        return x * (energy.sqrt() if self.inverse else energy.rsqrt())


class AF(nn.Module):
    """Attention-feature module of ADJSCC: scales channels by what they hold on average and by the SNR.

    ``y = x * sigmoid(W2 relu(W1 [mean over pixels of x, SNR in dB] + b1) + b2)``, hidden width channels / 16.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(channels + 1, max(1, channels // 16))
        self.scale = nn.Linear(max(1, channels // 16), channels)

    def forward(self, x: torch.Tensor, snr_db: torch.Tensor) -> torch.Tensor:
        """Scale ``[B, channels, H, W]`` given ``snr_db [B]``."""
        context = torch.cat([x.mean(dim=(2, 3)), snr_db[:, None]], dim=1)
        return x * torch.sigmoid(self.scale(F.relu(self.hidden(context))))[:, :, None, None]


class ADJSCC(JSCC):
    """The convolutional network with GDN of Xu et al. (2021): ADJSCC with AF modules, BDJSCC without.

    Encoder: 9 x 9 and 5 x 5 convolutions of ``width`` filters with stride 2, two 5 x 5 of ``width``, one
    5 x 5 of c; each with GDN, the first four then PReLU and AF. The decoder mirrors it with IGDN and a
    sigmoid.

    Parameters
    ----------
    c:
        Latent channels; CBR is c / 96.
    width:
        Filters; 256 in the authors' code.
    snr_adaptive:
        With AF modules (ADJSCC, one network for a range of SNRs) or without (BDJSCC, one for each).
    """

    stride = 4

    def __init__(self, c: int, width: int = 256, snr_adaptive: bool = True) -> None:
        super().__init__({"c": c, "width": width, "snr_adaptive": snr_adaptive}, c, snr_adaptive)
        w = width
        down = [_conv(3, w, 9, 2), _conv(w, w, 5, 2), _conv(w, w, 5), _conv(w, w, 5), _conv(w, c, 5)]
        up = [_up(c, w, 5), _up(w, w, 5), _up(w, w, 5), _up(w, w, 5, 2), _up(w, 3, 9, 2)]
        self.encoder = nn.ModuleList(
            nn.Sequential(conv, GDN(conv.out_channels), nn.PReLU(conv.out_channels)) for conv in down[:-1]
        )
        self.encoder.append(nn.Sequential(down[-1], GDN(c)))
        self.decoder = nn.ModuleList(
            nn.Sequential(conv, GDN(conv.out_channels, inverse=True), nn.PReLU(conv.out_channels))
            for conv in up[:-1]
        )
        self.decoder.append(nn.Sequential(up[-1], GDN(3, inverse=True), nn.Sigmoid()))
        count = 4 if snr_adaptive else 0
        self.encoder_af = nn.ModuleList(AF(w) for _ in range(count))
        self.decoder_af = nn.ModuleList(AF(w) for _ in range(count))

    def _analyse(self, pictures: torch.Tensor, snr_db: torch.Tensor, channels: int) -> torch.Tensor:
        return self._run(self.encoder, self.encoder_af, pictures, snr_db)

    def _synthesise(
        self, latent: torch.Tensor, snr_db: torch.Tensor, noise: torch.Tensor | None = None
    ) -> torch.Tensor:
        return self._run(self.decoder, self.decoder_af, latent, snr_db)

    @staticmethod
    def _run(
        layers: nn.ModuleList, attention: nn.ModuleList, x: torch.Tensor, snr_db: torch.Tensor
    ) -> torch.Tensor:
        for index, layer in enumerate(layers):
            x = layer(x)
            if index < len(attention):
                x = attention[index](x, snr_db)
        return x
