"""What stored figures say: decided here, worded elsewhere. Pure."""
