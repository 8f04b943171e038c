"""See a program run: what its tasklets did, and when."""
