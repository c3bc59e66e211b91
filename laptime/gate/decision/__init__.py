"""What is decided from ratios, costs and canaries: pure, no clock, file or process."""
