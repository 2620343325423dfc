"""Where published data sets lie, with the md5 sums that are published for them.

Sums: torchvision (MNIST, Fashion-MNIST, CIFAR), torchtext (WikiText, IMDB). For the others none is published.
"""

from neurocli.recordings.files.download import Download


def _idx(name: str, about: str, address: str, sums: tuple[str, str, str, str]) -> Download:
    files = ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1")
    names = [f"{file}-ubyte.gz" for file in files]
    return Download(name, about, address, tuple((file, file, md5) for file, md5 in zip(names, sums, strict=True)))


def _single(name: str, about: str, address: str, file: str, md5: str | None = None) -> Download:
    return Download(name, about, address, ((file, file, md5),))


MNIST = _idx(
    "mnist",
    "MNIST",
    "https://ossci-datasets.s3.amazonaws.com/mnist",
    (
        "f68b3c2dcbeaaa9fbdd348bbdeb94873",
        "d53e105ee54ea40749a09fcbcd1e9432",
        "9fb629c4189551a2d022fa330f9573f3",
        "ec29112dd5afa0611ce80d1b7f02629c",
    ),
)
FASHION_MNIST = _idx(
    "fashion-mnist",
    "Fashion-MNIST",
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
    (
        "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
        "25c81989df183df01b3e8a0aad5dffbe",
        "bef4ecab320f06d8554ea6380940ec79",
        "bb300cfdad3c16e7a12a480ee83cd310",
    ),
)

_CIFAR = "https://www.cs.toronto.edu/~kriz"
CIFAR10 = _single("cifar10", "CIFAR-10", _CIFAR, "cifar-10-python.tar.gz", "c58f30108f718f92721af3b95e74349a")
CIFAR100 = _single("cifar100", "CIFAR-100", _CIFAR, "cifar-100-python.tar.gz", "eb9058c3a382ffc7106e4002c42a8d85")

# The first address, at S3, no longer answers; this one is by the first author, and its files are those of before.
_WIKITEXT = "https://wikitext.smerity.com"
WIKITEXT_2 = _single("wikitext-2", "WikiText-2", _WIKITEXT, "wikitext-2-v1.zip", "542ccefacc6c27f945fb54453812b3cd")
WIKITEXT_103 = _single(
    "wikitext-103", "WikiText-103", _WIKITEXT, "wikitext-103-v1.zip", "9ddaacaf6af0710eda8c456decff7832"
)
IMDB = _single(
    "imdb",
    "IMDB",
    "https://ai.stanford.edu/~amaas/data/sentiment",
    "aclImdb_v1.tar.gz",
    "7c2ac02c03563afcf9b574c7e56c153a",
)

LRA = Download(
    "lra",
    "the Long Range Arena",
    "https://storage.googleapis.com/long-range-arena",
    (("lra_release.tar.gz", "lra_release.gz", None),),
    then="tar xf {files}",
)

_UEA = "https://www.timeseriesclassification.com/aeon-toolkit"
JAPANESE_VOWELS = _single("japanese-vowels", "JapaneseVowels", _UEA, "JapaneseVowels.zip")
BASIC_MOTIONS = _single("basic-motions", "BasicMotions", _UEA, "BasicMotions.zip")
COVID3MONTH = Download(
    "covid3month",
    "Covid3Month",
    "https://zenodo.org/record/3902690/files",
    tuple((file, file, None) for file in ("Covid3Month_TRAIN.ts", "Covid3Month_TEST.ts")),
)
