"""The command line. The only place that imports click, prints, or exits."""
