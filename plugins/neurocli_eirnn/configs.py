"""The options of either model of the family."""

from neurocli_eirnn.config import V2Config
from neurocli_eirnn.config_v1 import V1Config

EirnnConfig = V1Config | V2Config
