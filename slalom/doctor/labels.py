"""The doctor's labels: what each shows as, what it means, and what to do, written once."""

from __future__ import annotations

from dataclasses import dataclass

from slalom.core.errors import unknown_name


@dataclass(frozen=True)
class Label:
    """A cause by its name; `near`: labels that say nearly the same, accepted for it where a diagnosis is judged leniently."""

    name: str
    symptom: str
    cause: str
    remedy: str
    near: tuple[str, ...] = ()
    static: bool = False  # can be told before the first step


_ALL = (
    Label(
        "nonfinite_data", "inputs or targets hold NaN or infinity", "the data itself is not finite",
        "drop or fill the rows named in the evidence before training", (), True,
    ),
    Label(
        "params_not_training", "parameters stay exactly as they were", "the optimizer misses them, or they require no gradient",
        "give the optimizer every parameter: optimizer(model.parameters()), and requires_grad_(True)", (), True,
    ),
    Label(
        "loss_output_mismatch", "the outputs are not what the loss expects", "output layer and loss do not belong together",
        "strip the activation that the loss applies itself, or bring outputs and targets to one shape", (), True,
    ),
    Label(
        "unnormalised_inputs", "features differ in scale or offset by orders of magnitude", "the inputs are not normalised",
        "scale each feature to mean 0 and standard deviation 1 (by the training part)", ("lr_too_high", "divergence"), True,
    ),
    Label(
        "unscaled_targets", "the targets are far from the scale that the outputs start at", "the targets are not scaled",
        "train on (y - mean) / sd and turn predictions back", ("lr_too_high", "divergence", "lr_too_low"), True,
    ),
    Label(
        "bad_init", "the start is much worse than a constant prediction, or units are copies of each other",
        "the weights were initialised badly",
        "initialise anew: slalom.nets.initialise(model)", ("exploding_gradient", "vanishing_gradient"), True,
    ),
    Label(
        "missing_nonlinearity", "hidden layers collapse into one linear map", "there is no activation between layers",
        "put an activation (ReLU, GELU) between the linear layers", ("model_too_small",), True,
    ),
    Label(
        "class_imbalance", "rare classes are never predicted", "one class has many times the rows of another",
        "weight the loss by the inverse class counts, or sample classes alike", (), True,
    ),
    Label(
        "train_val_mismatch", "inputs of the validation part lie elsewhere than those of the training part",
        "the two parts are not prepared alike, or not drawn alike",
        "prepare both parts by the same steps, fitted on the training part", ("overfitting",), True,
    ),
    Label(
        "corrupted_labels", "labels contradict inputs that the model otherwise reads well",
        "a large share of the labels is wrong", "look through the rows with the largest loss; correct or drop them",
        ("overfitting",),
    ),
    Label(
        "dead_relu", "most units of a layer are 0 for every row", "ReLU units have died and pass no gradient",
        "initialise their weights and biases anew; a lower learning rate or LeakyReLU keeps them alive",
        ("bad_init", "lr_too_high"),
    ),
    Label(
        "vanishing_gradient", "the gradient shrinks by orders of magnitude towards the input",
        "the signal dies with depth (or time)",
        "ReLU-like activations with He initialisation, normalisation, residual connections; gates for recurrent nets",
        ("bad_init",),
    ),
    Label(
        "exploding_gradient", "the gradient grows by orders of magnitude towards the input",
        "the signal grows with depth (or time)",
        "orthogonal or Xavier/He initialisation, gradient clipping, normalisation", ("bad_init", "divergence", "lr_too_high"),
    ),
    Label(
        "divergence", "the loss leaves for infinity", "every step overshoots: the learning rate is beyond what is stable",
        "divide the learning rate by 10 or more; slalom.range_test finds the bound", ("lr_too_high", "exploding_gradient"),
    ),
    Label(
        "lr_too_high", "the loss does not settle, or jumps above its start", "the learning rate is too high",
        "divide the learning rate by 3 to 10; slalom.range_test finds how far", ("divergence", "oscillation", "lr_too_high_late"),
    ),
    Label(
        "lr_too_high_late", "the loss has stopped falling at a level above what a lower rate reaches at once",
        "the learning rate was right to start with and is too high by now", "decay it: cosine to 0, or average the weights",
        ("lr_too_high", "batch_too_small"),
    ),
    Label(
        "oscillation", "the loss swings back and forth", "momentum (or the rate along with it) is too high for this loss",
        "momentum 0.9 or lower, then a lower learning rate", ("lr_too_high", "lr_too_high_late"),
    ),
    Label(
        "lr_too_low", "the loss falls steadily, but hardly", "the learning rate is too low",
        "raise it 3 to 100 times; slalom.range_test finds how far", ("lr_decays_too_early",),
    ),
    Label(
        "lr_decays_too_early", "the loss stops falling where the schedule has taken the rate away",
        "the learning rate decays before the model has learnt", "stretch the schedule over the whole run", ("lr_too_low",),
    ),
    Label(
        "batch_too_small", "steps are mostly noise",
        "the batch is too small for this gradient noise (or for batch normalisation)",
        "larger batches or accumulated gradients; GroupNorm in place of BatchNorm", ("lr_too_high_late", "lr_too_high"),
    ),
    Label(
        "batch_too_large", "too few updates, each more exact than it need be", "the batch is too large for this many epochs",
        "smaller batches, or a higher learning rate (scaled with the batch)", ("lr_too_low",),
    ),
    Label(
        "overfitting", "the validation loss rises while the training loss falls", "the model learns the training rows by heart",
        "stop at the best epoch, weight decay, dropout, augmentation, more data", ("corrupted_labels",),
    ),
    Label(
        "model_too_small", "the training loss stays high, also on one batch", "the model is too small to fit the data",
        "more units or layers", ("missing_nonlinearity",),
    ),
    Label(
        "over_regularised", "training and validation loss stay high with a penalty or dropout on",
        "the regularisation is too strong", "lower the weight decay or the dropout", ("model_too_small",),
    ),
)  # fmt: skip

LABELS: dict[str, Label] = {entry.name: entry for entry in _ALL}


def label(name: str) -> Label:
    """A label by its name; `UnknownNameError` names the nearest for another.

    >>> label("dead_relu").static
    False
    """
    if name not in LABELS:
        raise unknown_name("label", name, LABELS)
    return LABELS[name]
