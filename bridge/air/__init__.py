"""What goes over the air: transmissions, carriages, schemes, and the account of channel uses."""
