"""Networks, their layers and losses."""
