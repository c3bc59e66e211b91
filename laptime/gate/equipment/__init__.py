"""What each side runs in, where that is not the environment of the gate itself: found, or made and kept."""
