"""The Spiking Heidelberg Digits as published: `neuro fetch shd` downloads them."""

from neurocli.recordings.files.download import Download

DIGITS = Download(
    name="shd",
    about="the Spiking Heidelberg Digits",
    address="https://zenkelab.org/datasets",
    files=(("shd_train.h5.gz", "shd_train.h5.gz", None), ("shd_test.h5.gz", "shd_test.h5.gz", None)),
    sums="md5sums.txt",
    then="neuro train elm-v1 --task shd",
)
