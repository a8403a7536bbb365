"""What the doctor measures: of the data, the loss, the weights, the signals; figures alone, no judgement."""
