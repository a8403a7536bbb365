"""Teaching pictures, drawn."""

from slalom.figures.pictures.teaching.activations import ActivationsScene
from slalom.figures.pictures.teaching.charts import ChartsScene
from slalom.figures.pictures.teaching.panels import PanelsScene
from slalom.figures.pictures.teaching.vectors import VectorsScene

__all__ = ["ActivationsScene", "ChartsScene", "PanelsScene", "VectorsScene"]
