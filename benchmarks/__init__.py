"""What is said to be fast, measured: `make bench`. Figures are aims, never tests."""
