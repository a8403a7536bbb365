"""What a search tells to TensorBoard, MLflow and Weights & Biases, where they are installed: `slalom.tune(..., log="mlflow")`."""

from slalom.tune.loggers.base import TrialLogger
from slalom.tune.loggers.choose import LOGGERS, Together, loggers_of

__all__ = ["LOGGERS", "Together", "TrialLogger", "loggers_of"]
