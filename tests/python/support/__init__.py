"""What several tests share; each module says what it is for."""
