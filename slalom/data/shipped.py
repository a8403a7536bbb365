"""Real data that ships inside scikit-learn; nothing is downloaded."""

from __future__ import annotations

from typing import Any

import numpy as np

from slalom.data.raw import Raw


def digits() -> Raw:
    """Handwritten digits, 8x8 pixels of grey from 0 to 16: 1797 rows, 10 classes."""
    from sklearn.datasets import load_digits

    # Pixels share one scale: dividing each by its own deviation would blow up the border pixels, which are nearly always 0.
    return _classes("digits", load_digits(), scaling="whole", notes=("an 8x8 image a row, flattened to 64 columns",))


def breast_cancer() -> Raw:
    """Breast tumours, malignant or benign, by 30 measurements of their cells: 569 rows, 2 classes."""
    from sklearn.datasets import load_breast_cancer

    return _classes("breast_cancer", load_breast_cancer())


def wine() -> Raw:
    """Three growers' wines by 13 chemical measurements: 178 rows, 3 classes."""
    from sklearn.datasets import load_wine

    return _classes("wine", load_wine())


def iris() -> Raw:
    """Three species of iris by four measurements of the flower: 150 rows, 3 classes."""
    from sklearn.datasets import load_iris

    return _classes("iris", load_iris())


def diabetes() -> Raw:
    """Progress of diabetes after a year by 10 measurements of the patient: 442 rows, regression."""
    from sklearn.datasets import load_diabetes

    bunch = load_diabetes(scaled=False)
    return Raw("diabetes", bunch.data, bunch.target, tuple(map(str, bunch.feature_names)), "progression", task="regression")


def _classes(name: str, bunch: Any, **more: Any) -> Raw:
    labels = tuple(str(label) for label in bunch.target_names)
    features = tuple(str(feature) for feature in bunch.feature_names)
    return Raw(name, np.asarray(bunch.data), np.asarray(bunch.target), features, "class", labels, "classification", **more)
