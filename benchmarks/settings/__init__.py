"""What commands are told, as checked and frozen settings."""
