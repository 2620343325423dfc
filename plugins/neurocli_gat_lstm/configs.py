"""The options of any model of the family."""

from neurocli_gat_lstm.config import V2Config
from neurocli_gat_lstm.config_v1 import V1Config
from neurocli_gat_lstm.config_v3 import V3Config

GatLstmConfig = V1Config | V2Config | V3Config
CorrectedConfig = V2Config | V3Config
"""Of models that correct a linear path."""
