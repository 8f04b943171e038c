"""What bench.py is made of; README.md of the directory above tells how they go together."""
