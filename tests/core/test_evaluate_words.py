"""What `evaluate` says of its intervals is what its metrics take."""

from __future__ import annotations

from neurocli.evaluation.intervals import method
from neurocli.evaluation.metrics import R2, RMSE, Metric
from neurocli.report.scores import intervals
from neurocli_eirnn.metrics import PsthCorrelation, RateRatio


def said(*metrics: Metric) -> str:
    rows = [{"name": m.name, "unit": m.unit, "higher": m.higher, "interval": method(m)} for m in metrics]
    return f"95 % {intervals(rows)} intervals over independent groups"


def test_the_method_is_that_of_the_metrics() -> None:
    assert said(R2("mV"), RMSE("mV")) == "95 % bootstrap intervals over independent groups"
    assert said(PsthCorrelation(0, 25), RateRatio(25)) == "95 % jackknife intervals over independent groups"
    assert (
        said(R2("mV"), PsthCorrelation(50, 25))
        == "95 % bootstrap (R2 [mV]) and jackknife (r [50 ms]) intervals over independent groups"
    )
