"""One module per recipe: FAMILY, SEEDS, REAL_DATA, `run(lab, data) -> values`, and `show(kept) -> {block: Markdown}`."""

from recipes import brunel, eirnn, elm, pixels, sequences, speed, worm

RECIPES = {
    "brunel": brunel,
    "eirnn": eirnn,
    "elm": elm,
    "worm": worm,
    "sequences": sequences,
    "pixels": pixels,
    "speed": speed,
}
