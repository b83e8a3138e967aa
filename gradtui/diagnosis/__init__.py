"""The diagnosis turns the numbers of a run into findings; it needs numpy, and neither torch nor a screen.

`evidence_of` reads a run, `diagnose` returns what is wrong with it and `remarks` what is unusual but harmless. A
`RunMonitor` repeats this while the run trains. `predict` returns what theory expects of an experiment before the first
step. The names are imported at first use, since the screens start without numpy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gradtui.diagnosis.evidence import Evidence as Evidence
    from gradtui.diagnosis.evidence import Series as Series
    from gradtui.diagnosis.findings import CODES as CODES
    from gradtui.diagnosis.findings import CureOffer as CureOffer
    from gradtui.diagnosis.findings import Finding as Finding
    from gradtui.diagnosis.monitor import LiveDiagnosis as LiveDiagnosis
    from gradtui.diagnosis.monitor import RunMonitor as RunMonitor
    from gradtui.diagnosis.reading import evidence_of as evidence_of
    from gradtui.diagnosis.rules import diagnose as diagnose
    from gradtui.diagnosis.rules import remarks as remarks
    from gradtui.diagnosis.theory import Prediction as Prediction
    from gradtui.diagnosis.theory import predict as predict

_HOMES = {
    "CODES": "findings",
    "CureOffer": "findings",
    "Evidence": "evidence",
    "Finding": "findings",
    "LiveDiagnosis": "monitor",
    "Prediction": "theory",
    "RunMonitor": "monitor",
    "Series": "evidence",
    "diagnose": "rules",
    "evidence_of": "reading",
    "predict": "theory",
    "remarks": "rules",
}

__all__ = [
    "CODES",
    "CureOffer",
    "Evidence",
    "Finding",
    "LiveDiagnosis",
    "Prediction",
    "RunMonitor",
    "Series",
    "diagnose",
    "evidence_of",
    "predict",
    "remarks",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'gradtui.diagnosis' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"gradtui.diagnosis.{_HOMES[name]}"), name)
