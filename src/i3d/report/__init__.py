"""Results to text and to files."""
