"""The published CNN-LSTM, layer by layer.

Source: github.com/balazsthomay/neuron-voltage-forecasting (MIT), the code where it differs from its documents.
Kept exact, with its peculiarities, so that its published score can be reproduced and compared with:
* the convolutions take the *time steps* of a window as channels and slide over the *neuron index*, so the model
  accepts one window length only and index neighbours, which are no neighbours in the network, share weights;
* one window yields one supervised step, the sample after the window.
"""

from __future__ import annotations

from torch import Tensor, nn

from neurocli_cnn_lstm.config import V1Model

_KERNELS, _LAYERS, _OUTPUT_DROPOUT = (3, 5), 2, 0.25
"""Sizes of the convolutions (odd, since x + cnn(x) needs one shape), layers of the LSTM, dropout before the output."""


class PublishedCnnLstm(nn.Module):
    """Forecast the next sample of all neurons from one window of z-scored voltages.

    Input ``[batch, window, neuron]``, output ``[batch, neuron]``, both in z. With the default arguments
    the model has 2,188,168 parameters.
    """

    def __init__(self, num_neurons: int = 100, options: V1Model | None = None) -> None:
        super().__init__()
        options = options or V1Model()
        self.num_neurons = num_neurons
        self.window = options.window
        blocks = (_conv_block(options.window, size, options.cnn_dropout) for size in _KERNELS)
        self.cnn = nn.Sequential(*(layer for block in blocks for layer in block))
        hidden = options.lstm_hidden
        self.lstm = nn.LSTM(num_neurons, hidden, _LAYERS, batch_first=True, dropout=options.lstm_dropout)
        self.norm = nn.LayerNorm(hidden)
        self.residual = nn.Linear(num_neurons, hidden)
        self.dropout = nn.Dropout(_OUTPUT_DROPOUT)
        self.output = nn.Linear(hidden, num_neurons)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Initialise as published: biases 0 but for the forget gates, convolution weights torch's default."""
        for name, parameter in self.lstm.named_parameters():
            if name.startswith("weight_ih"):
                nn.init.xavier_uniform_(parameter)
            elif name.startswith("weight_hh"):
                nn.init.orthogonal_(parameter)
            else:
                nn.init.zeros_(parameter)
                if name.startswith("bias_ih"):  # gates lie in the order i, f, g, o
                    hidden = parameter.shape[0] // 4
                    nn.init.ones_(parameter.data[hidden : 2 * hidden])
        nn.init.xavier_uniform_(self.output.weight)
        for name, parameter in self.named_parameters():
            if name.endswith("bias"):  # the LSTM's biases have other names
                nn.init.zeros_(parameter)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``x [batch, window, neuron]`` to the next sample ``[batch, neuron]``."""
        if x.dim() != 3 or x.shape[1:] != (self.window, self.num_neurons):
            raise ValueError(
                f"expected [batch, {self.window}, {self.num_neurons}], got {list(x.shape)}: "
                "the published convolution has the window's time steps as its channels"
            )
        x = x + self.cnn(x)
        hidden, _ = self.lstm(x)
        last = self.norm(hidden[:, -1]) + self.residual(x[:, -1])
        return self.output(self.dropout(last))


def _conv_block(channels: int, kernel_size: int, dropout: float) -> tuple[nn.Module, ...]:
    """Return convolution over the neuron index, ReLU, batch norm and dropout of whole time steps, in this order."""
    return (
        nn.Conv1d(channels, channels, kernel_size, padding=kernel_size // 2),
        nn.ReLU(),
        nn.BatchNorm1d(channels),
        nn.Dropout1d(dropout),
    )
