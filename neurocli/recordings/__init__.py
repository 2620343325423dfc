"""The data contract: recordings, sets of them on HDF5, readers, splits, normalisation and windows."""

from neurocli.recordings.dataset import Batch, Dataset
from neurocli.recordings.normalisation import Normalisation
from neurocli.recordings.notes import Note
from neurocli.recordings.recording import Recording, Spikes
from neurocli.recordings.recordingset import RecordingSet
from neurocli.recordings.split import Split, leave_one_out, split_by_group, split_by_options

__all__ = [
    "Batch",
    "Dataset",
    "Normalisation",
    "Note",
    "Recording",
    "RecordingSet",
    "Spikes",
    "Split",
    "leave_one_out",
    "split_by_group",
    "split_by_options",
]
