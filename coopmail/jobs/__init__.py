"""When things happen by themselves: one schedule, read by a runner."""
