"""Pure functions on tensors and numbers: no modules, no state."""
