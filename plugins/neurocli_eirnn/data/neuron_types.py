"""The two types of neurons of a session, by the letter that tables show, and their colours."""

from neurocli.report import colours
from neurocli_eirnn.data.session import EXCITATORY, INHIBITORY

TYPES = {"E": EXCITATORY, "I": INHIBITORY}
COLOURS = {"E": colours.EXCITATORY, "I": colours.INHIBITORY}
LOCATION_COLOURS = colours.CATEGORIES
