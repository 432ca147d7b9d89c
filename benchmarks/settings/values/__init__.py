"""Values that several settings have: ranges of numbers, devices, places of files."""
