"""What `scripts/benchmark` is made of; see docs/performance.md."""
