"""What is on this machine: programs, models, data; what there is to choose from; training."""
